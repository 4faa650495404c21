// The map of what comes and goes: a map like any other, but for what it leaves to the collector.
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { BusyMap } from './busy-map.ts'

test('keeps what it is given, in the order in which the keys came', () => {
  const map = new BusyMap<string, number | undefined>()
  map.set('b', 1)
  map.set('a', 2)
  map.set('b', 3)
  map.set('none', undefined)
  expect([map.size, map.get('b'), map.get('c'), map.has('none'), map.has('c')]).toEqual([
    3,
    3,
    undefined,
    true,
    false,
  ])
  expect([map.delete('none'), map.delete('none'), map.size]).toEqual([true, false, 2])
  expect([[...map.entries()], [...map.values()]]).toEqual([
    [
      ['b', 3],
      ['a', 2],
    ],
    [3, 2],
  ])
})

test('may lose entries while somebody goes through it', () => {
  const map = new BusyMap<number, string>()
  for (let key = 0; key < 100; key++) map.set(key, `value ${key}`)
  const seen: string[] = []
  for (const [key, value] of map.entries()) {
    seen.push(value)
    map.delete(key)
    map.delete(key + 1)
  }
  expect([seen.length, seen[1], map.size]).toEqual([50, 'value 2', 0])
})

/** Bytes of the old generation after 40,000 entries of a kilobyte have come and gone, a hundred at a time. */
function keptAfterChurn(map: Pick<BusyMap<number, unknown>, 'set' | 'delete'>): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void
  const old = () =>
    getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')!.space_used_size
  for (const key of [-1, -2, -3]) map.set(key, key)
  // What it consists of is old from now on.
  collect()
  collect()
  const before = old()
  for (let key = 0; key < 40_000; key++) {
    map.set(key, { held: Array.from({ length: 120 }, () => key) })
    map.delete(key - 100)
    if (key % 2_000 === 0) collect({ type: 'minor' })
  }
  return old() - before
}

test('what was taken out is not kept by what it once lay in', () => {
  expect(keptAfterChurn(new BusyMap())).toBeLessThan(8_000_000)
})
