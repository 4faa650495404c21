// Which ends of a worker count: one that was not asked for, one by force, another exit code, and whatever is said on standard error.
import { expect, test } from 'vitest'
import { oddEnd, type WorkerEnd } from './worker-end.ts'

const stopped: WorkerEnd = { told: 'stop', wasReady: true, wasForced: false, by: 0, said: '' }
const killed: WorkerEnd = { ...stopped, told: 'kill', by: 'SIGKILL' }
const eaten: WorkerEnd = { ...stopped, told: 'eat', by: 'SIGABRT', said: 'FATAL ERROR: Reached heap limit' }

test('a worker that stops as it was told to, is killed, or runs out of memory on purpose ends in order', () => {
  for (const end of [stopped, killed, eaten]) expect(oddEnd(end)).toEqual([])
  // Nobody listens for the signal yet.
  expect(oddEnd({ ...stopped, wasReady: false, by: 'SIGTERM' })).toEqual([])
})

test.each<[string, WorkerEnd, string]>([
  ['by itself', { ...stopped, told: undefined, said: 'Error: no' }, 'ended with 0 by itself: Error: no'],
  [
    'by force',
    { ...stopped, wasForced: true, by: 'SIGKILL' },
    'did not stop when it was told to, and was killed.',
  ],
  [
    'with a code as it stops',
    { ...stopped, by: 1, said: 'Error: no' },
    'stopped with 1, and not with 0: Error: no',
  ],
  ['by a signal as it stops', { ...stopped, by: 'SIGSEGV' }, 'stopped with SIGSEGV, and not with 0.'],
  [
    'with a warning as it stops',
    { ...stopped, said: '(node) Warning' },
    'said on its standard error: (node) Warning',
  ],
  [
    'with a warning as it is killed',
    { ...killed, said: '(node) Warning' },
    'said on its standard error: (node) Warning',
  ],
])('a worker that ends %s is told', (_, end, sentence) => {
  expect(oddEnd(end)).toEqual([sentence])
})
