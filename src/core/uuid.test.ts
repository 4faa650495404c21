// Tests of run ids: their form, their time, their order.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRunIds, isUuid, uuidV7 } from './uuid.ts'

const bytes = fc.uint8Array({ minLength: 10, maxLength: 10 })
const times = fc.integer({ min: 0, max: 2 ** 48 - 1 })
/** In milliseconds since 1970. */
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

test('a UUIDv7 has its version, its variant and its time', () => {
  fc.assert(
    fc.property(times, bytes, (nowMs, random) => {
      const id = uuidV7(nowMs, random)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(isUuid(id)).toBe(true)
      expect(timeOf(id)).toBe(nowMs)
    }),
  )
})

test('its random bits all come from the bytes', () => {
  expect(uuidV7(0, new Uint8Array(10))).toBe('00000000-0000-7000-8000-000000000000')
  expect(uuidV7(0, new Uint8Array(10).fill(0xff))).toBe('00000000-0000-7fff-bfff-ffffffffffff')
})

test('PP-S7 text that is no id is told from one', () => {
  for (const text of ['', 'x', "'; drop table run", '01890000-0000-7000-8000-00000000000', '{}']) {
    expect(isUuid(text)).toBe(false)
  }
})

test('run ids grow, within a millisecond and when the clock steps back', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1_000, max: 1_010 }), { minLength: 2, maxLength: 200 }),
      bytes,
      (clock, random) => {
        const readings = clock.values()
        const nextId = createRunIds({ now: () => readings.next().value ?? 0, random: () => random })
        const ids = clock.map(() => nextId())
        expect([...ids].sort()).toEqual(ids)
        expect(new Set(ids).size).toBe(ids.length)
      },
    ),
  )
})

test('a counter that runs over borrows from the next millisecond', () => {
  const nextId = createRunIds({ now: () => 1_000, random: (count) => new Uint8Array(count).fill(0xff) })
  const ids = Array.from({ length: 5_000 }, nextId)
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(ids).size).toBe(5_000)
  expect(timeOf(ids.at(-1) ?? '')).toBe(1_001)
})

test('the given random bytes are left as they were', () => {
  const random = new Uint8Array(10).fill(0xff)
  createRunIds({ now: () => 1, random: () => random })()
  expect(random).toEqual(new Uint8Array(10).fill(0xff))
})
