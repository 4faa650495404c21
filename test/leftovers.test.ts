// A real run over a file that leaves everything behind that can be, and one that cleans up after itself.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, inject, test } from 'vitest'
import { makeScratchFolder } from './scratch.ts'

const folder = makeScratchFolder()
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const setup = fileURLToPath(new URL('setup.ts', import.meta.url))
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))

const opens = `
  import { spawn } from 'node:child_process'
  import fs from 'node:fs'
  import net from 'node:net'
  import os from 'node:os'
  import path from 'node:path'

  const open = async () => {
    const server = net.createServer()
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)'], { stdio: 'ignore' })
    const timer = setInterval(() => {}, 1e6)
    const listener = () => {}
    process.on('SIGUSR2', listener)
    process.env.FORGOTTEN = 'yes'
    const file = path.join(os.tmpdir(), 'forgotten.txt')
    fs.writeFileSync(file, 'x')
    return async () => {
      server.close()
      child.kill()
      clearInterval(timer)
      process.off('SIGUSR2', listener)
      delete process.env.FORGOTTEN
      fs.rmSync(file)
    }
  }`

test('a file that leaves open what it opened fails, and each thing is named', () => {
  const files = {
    'vitest.config.mjs': `export default { test: { globals: true, setupFiles: [${JSON.stringify(setup)}], provide: ${JSON.stringify(
      { graceMs: 300, machineFolder: inject('machineFolder'), scratchRoot: folder },
    )} } }`,
    'forgets.test.js': `${opens}
      let close
      test('opens', async () => { close = await open() })
      process.once('exit', () => close())`,
    'closes.test.js': `${opens}
      test('opens and closes', async () => { await (await open())() })`,
  }
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text)
  const { VITEST: _, ...env } = process.env
  const { stdout, stderr, status } = spawnSync(process.execPath, [vitest, 'run', '--root', folder], {
    encoding: 'utf8',
    env: { ...env, NO_COLOR: '1' },
  })
  const told = stdout + stderr
  expect(status).toBe(1)
  expect(told).toContain('1 failed | 1 passed')
  expect(told).toMatch(/FAIL {2}forgets\.test\.js/)
  expect(told).toContain('This file left behind:')
  expect(told).toMatch(/- open: a server on \{ address: '127\.0\.0\.1'/)
  expect(told).toMatch(/- open: process \d+: \S*node -e setTimeout/)
  expect(told).toMatch(/- 1 timers under way: .*forgets\.test\.js:\d+/)
  expect(told).toContain('- a listener of the process for SIGUSR2')
  expect(told).toContain('- the environment has another FORGOTTEN')
  expect(told).toMatch(/- a temporary file: \S*forgotten\.txt/)
})
