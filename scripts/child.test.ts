// A program run in place of another ends it with its own end, and hears its signals.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { runInPlace } from './child.mjs'

const cwd = path.dirname(fileURLToPath(import.meta.url))

it.each([0, 1, 7])('the exit code %i is handed on', async (code) => {
  expect(await runInPlace(process.execPath, ['-e', `process.exit(${code})`], { cwd })).toBe(code)
})

it('a program that a signal ended gives 128 and the signal, as a shell says it', async () => {
  expect(await runInPlace(process.execPath, ['-e', 'process.kill(process.pid, "SIGKILL")'], { cwd })).toBe(
    137,
  )
})

it('a program that cannot be started is a failure', async () => {
  expect(await runInPlace('no-such-program', [], { cwd })).toBe(1)
})

it('a signal to the outer program reaches the inner one, which decides when to end', async () => {
  const inner = `process.on('SIGTERM', () => process.exit(5)); console.log('up'); setInterval(() => {}, 1000)`
  const outer = `
    import { runInPlace } from './child.mjs'
    process.exitCode = await runInPlace(process.execPath, ['-e', ${JSON.stringify(inner)}], { cwd: '.' })
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', outer], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([5, null])
})
