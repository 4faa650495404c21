// What a benchmark leaves on a machine: nothing at its end or after a signal, and what a killed one left is gone after the next.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Ending } from '../bench/ending.ts'
import { removeLeftOvers, temporaryFolder } from '../bench/left-overs.ts'

const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-test-'))
afterAll(() => fs.rmSync(parent, { recursive: true, force: true }))

/** The id of a process that has ended, and been waited for. */
const endedId = () => spawnSync(process.execPath, ['-e', '']).pid

function make(name: string): string {
  const folder = path.join(parent, name)
  fs.mkdirSync(folder)
  return folder
}

test('the folder of a killed benchmark goes, with the server that works in it; those of living ones stay', async () => {
  const abandoned = make(`millrace-peers-${endedId()}-AbC123`)
  const others = [make(`millrace-peers-${process.pid}-AbC123`), make(`millrace-test-${endedId()}-AbC123`)]
  const program = path.join(parent, 'redis-server')
  fs.symlinkSync('/bin/sleep', program)
  const server = spawn(program, ['600'], { cwd: abandoned, stdio: 'ignore' })
  const reader = spawn('/bin/sleep', ['600'], { cwd: abandoned, stdio: 'ignore' })
  const ended = once(server, 'exit')
  await Promise.all([once(server, 'spawn'), once(reader, 'spawn')])
  await removeLeftOvers(parent)
  expect((await ended)[1]).toBe('SIGQUIT')
  expect(fs.existsSync(abandoned)).toBe(false)
  expect(others.map((folder) => fs.existsSync(folder))).toEqual([true, true])
  expect(reader.exitCode ?? reader.signalCode).toBeNull()
  reader.kill('SIGKILL')
})

test('a process whose id was given anew does not keep the folder of the one before it', async () => {
  const folder = make(`millrace-bench-${process.pid}-1-AbC123`)
  await removeLeftOvers(parent)
  expect(fs.existsSync(folder)).toBe(false)
})

test('the folder that a benchmark makes bears its name, so that another one lets it be', async () => {
  const made = temporaryFolder('revision')
  fs.rmSync(made, { recursive: true })
  const name = path.basename(made)
  expect(name).toMatch(new RegExp(`^millrace-revision-${process.pid}-`))
  const folder = make(name)
  await removeLeftOvers(parent)
  expect(fs.existsSync(folder)).toBe(true)
})

test('an ending undoes the last first, all of it though one fails, and only once', async () => {
  const undone: string[] = []
  const ending = new Ending()
  ending.add(() => void undone.push('folder'))
  ending.add(() => {
    undone.push('server')
    throw new Error('it does not stop')
  })
  ending.add(() => void undone.push('client'))
  await expect(Promise.all([ending.run(), ending.run()])).rejects.toThrow('it does not stop')
  expect(undone).toEqual(['client', 'server', 'folder'])
})

test('a signal undoes what is there so far, and is the status', async () => {
  const file = path.join(parent, 'undone')
  const source = `
    import { Ending } from ${JSON.stringify(new URL('../bench/ending.ts', import.meta.url).href)}
    import fs from 'node:fs'
    new Ending().add(() => fs.writeFileSync(${JSON.stringify(file)}, ''))
    setInterval(() => {}, 60_000)
    console.log('ready')`
  const one = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(one, 'exit')
  await once(one.stdout, 'data')
  one.kill('SIGTERM')
  expect((await ended)[0]).toBe(143)
  expect(fs.existsSync(file)).toBe(true)
})
