// Looks that are taken again and again: one at a time, however long each takes.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Arrival } from '../../test/millrace.ts'
import { lookEvery } from './repeated-look.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a look that takes long is the only one under way, and whoever ends them waits for it alone', async () => {
  const looks: Arrival[] = []
  const end = lookEvery(250, () => {
    looks.push(new Arrival())
    return looks.at(-1)!.come
  })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looks).toHaveLength(1)
  looks[0]!.arrive()
  await vi.advanceTimersByTimeAsync(250)
  expect(looks).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(60_000)
  const ended = end()
  looks[1]!.arrive()
  await ended
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looks).toHaveLength(2)
})
