// When a worker that was cut off hundreds of times holds more than before.
import { expect, test } from 'vitest'
import { type Held, reconnectFaults } from './reconnects.ts'

const samples = (of: (cut: number) => Partial<Held>): Held[] =>
  Array.from({ length: 50 }, (_, nth) => {
    const cut = 10 * (nth + 1)
    return { cut, heapBytes: 15_000_000 + (nth % 3) * 20_000, descriptors: 30, backends: 5, ...of(cut) }
  })
const judged = (of: (cut: number) => Partial<Held>, cuts = 500) =>
  reconnectFaults({ cuts, samples: samples(of), unexpected: [] })

test('what only becomes warm in the first fifth is none, and neither is what comes and goes', () => {
  expect(judged(() => ({}))).toEqual([])
  expect(judged((cut) => (cut < 100 ? { heapBytes: 12_000_000, descriptors: 20 } : {}))).toEqual([])
})

test('a heap that grows with each cut is told, where there were enough of them', () => {
  const leaks = (cut: number) => ({ heapBytes: 15_000_000 + 4_096 * cut })
  expect(judged(leaks)).toEqual([
    'The heap of a worker grew by 4096 bytes with each time that it was cut off; 1024 are the most.',
  ])
  expect(judged(leaks, 100)).toEqual([])
})

test('descriptors and backends that become more are told, and so is a process that ended', () => {
  expect(judged((cut) => ({ descriptors: 30 + cut / 100, backends: 5 + cut / 100 }))).toEqual([
    'The descriptors of a worker that was cut off grew from 31.5 to 34.7.',
    'The backends of a worker that was cut off grew from 6.5 to 9.7.',
  ])
  const unexpected = ['The worker in seat 0 ended with 1 by itself.']
  expect(reconnectFaults({ cuts: 500, samples: samples(() => ({})), unexpected })).toEqual(unexpected)
})
