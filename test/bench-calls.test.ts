// What the benchmark of peers does with a process that ends, or never answers.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { withinMs } from '../bench/peers/agent-process.ts'
import { Calls } from '../bench/peers/calls.ts'

const opened: ChildProcess[] = []
afterEach(() => opened.splice(0).forEach((one) => one.kill('SIGKILL')))

/** A process with a channel to it, that does with what it is sent as the code says. */
function child(onMessage: string): ChildProcess {
  const one = spawn(
    process.execPath,
    ['-e', `process.on('message', ({ id, name, args }) => { ${onMessage} })`],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    },
  )
  opened.push(one)
  return one
}

test('a call gets its answer, or the fault that it had', async () => {
  const calls = new Calls(
    child(`process.send(name === 'add' ? { id, result: args + 1 } : { id, error: 'no such call' })`),
    'pg-boss',
  )
  await expect(calls.ask('add', 1, 60_000)).resolves.toBe(2)
  await expect(calls.ask('other', 1, 60_000)).rejects.toThrow('no such call')
})

test('a process that ends fails the calls that wait for it, and those that come after', async () => {
  const dying = child('process.exit(3)')
  const calls = new Calls(dying, 'absurd')
  const ended = once(dying, 'exit')
  await expect(calls.ask('usage', undefined, 60_000)).rejects.toThrow(
    "the process of absurd ended before it answered 'usage'",
  )
  await ended
  await expect(calls.ask('enqueue', undefined, 60_000)).rejects.toThrow(
    "the process of absurd had ended before it was asked for 'enqueue'",
  )
})

test('a call that is never answered ends at its bound, with the process', async () => {
  const silent = child('')
  const ended = once(silent, 'exit')
  await expect(new Calls(silent, 'openworkflow').ask('fanOut', undefined, 50)).rejects.toThrow(
    "openworkflow had not answered 'fanOut' after 0.05 s, and its process was ended",
  )
  expect((await ended)[1]).toBe('SIGKILL')
})

test('who has runs in flight at its bound of time has long to end them', () => {
  expect(withinMs('enqueue', { count: 1, width: 1, limitMs: 5_000 })).toBe(65_000)
  expect(withinMs('threeSteps', { count: 20_000, width: 500, limitMs: 5_000 })).toBe(605_000)
})
