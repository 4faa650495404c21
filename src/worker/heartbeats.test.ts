// The rhythm of heartbeats: twice a second, and sooner where a task is due before the next.
import { afterEach, beforeEach, expect, type Mock, test, vi } from 'vitest'
import type { Caller } from '../db/call.ts'
import type { HeartbeatAnswerRow } from '../db/workers.ts'
import { type HeartbeatParts, Heartbeats } from './heartbeats.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Heartbeats that are answered by these rows, one list after the other, and the moments at which they were sent. */
function beating(
  answers: HeartbeatAnswerRow[][],
  drawn = 0.5,
): { sentAt: number[]; heartbeats: Heartbeats; wake: Mock } {
  const begun = Date.now()
  const sentAt: number[] = []
  const wake = vi.fn()
  const caller = {
    call: () => {
      sentAt.push(Date.now() - begun)
      return Promise.resolve(answers.shift() ?? [])
    },
  } as unknown as Caller
  const parts = {
    caller,
    key: { workerId: 'w', lockKey: 1 },
    settings: { heartbeatMs: 500, leaseSeconds: 10, random: () => drawn },
    slots: { free: 0, size: 1, held: () => [], reserve: () => 0, giveBack: () => {} },
    lanes: { lanes: () => ({ handlers: [], priorities: [], positions: [] }) },
    claims: { sleeping: false, found: () => {}, wake },
    connectedAt: () => 0,
    locked: () => true,
    monotonic: () => Date.now(),
    beaten: () => {},
    stateNow: () => 'idle',
    redrive: () => {},
    triggered: () => {},
  } as unknown as HeartbeatParts
  return { sentAt, heartbeats: new Heartbeats(parts), wake }
}

test('a heartbeat comes twice a second, and on time for a task that is due before the next', async () => {
  const { sentAt, heartbeats } = beating([[], [{ kind: 'due', detail: '320' }], [], []])
  heartbeats.start()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(sentAt).toEqual([250, 750, 1_070, 1_570])
  await heartbeats.stop()
})

test('C7 workers that start at once beat apart from the first beat on: anywhere in the time between two', async () => {
  const each = [0.1, 0.4, 0.9].map((drawn) => beating([[], []], drawn))
  for (const { heartbeats } of each) heartbeats.start()
  await vi.advanceTimersByTimeAsync(500)
  expect(each.map(({ sentAt }) => sentAt[0])).toEqual([50, 200, 450])
  for (const { heartbeats } of each) await heartbeats.stop()
})

test('where tasks are due one after the other, a heartbeat comes ten times a second at most', async () => {
  const due = (): HeartbeatAnswerRow[] => [{ kind: 'due', detail: '3' }]
  const { sentAt, heartbeats } = beating([due(), due(), due(), []])
  heartbeats.start()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(sentAt).toEqual([250, 350, 450, 550])
  await heartbeats.stop()
})

test('a heartbeat that could not look everywhere has the worker claim', async () => {
  const { heartbeats, wake } = beating([[], [{ kind: 'look', detail: null }], []])
  heartbeats.start()
  await vi.advanceTimersByTimeAsync(500)
  expect(wake).toHaveBeenCalledTimes(0)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(wake).toHaveBeenCalledTimes(1)
  await heartbeats.stop()
})
