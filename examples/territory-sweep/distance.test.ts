// Great-circle distances against known ones, and the search against looking at every place.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { distanceKm, nearestTo, type Place } from './distance.ts'

const place = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
})

test('a great-circle distance is that of the books', () => {
  const losAngeles = { latitude: 33.9425, longitude: -118.4081 }
  const newYork = { latitude: 40.6398, longitude: -73.7789 }
  expect(distanceKm(losAngeles, newYork)).toBeCloseTo(3974, -1)
  expect(distanceKm({ latitude: 90, longitude: 0 }, { latitude: -90, longitude: 0 })).toBeCloseTo(20_015, 0)
})

test('a place has no distance to itself, and the same distance there and back', () => {
  fc.assert(
    fc.property(place, place, (from, to) => {
      expect(distanceKm(from, from)).toBe(0)
      expect(distanceKm(from, to)).toBeCloseTo(distanceKm(to, from), 6)
    }),
  )
})

test('the search finds what looking at every place finds', () => {
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 80 }), place, (places, to) => {
      const nearest = Math.min(...places.map((from) => distanceKm(from, to)))
      // To the metre: near the antipode the two ways of reckoning differ by some tenths of one.
      expect(Math.abs(nearestTo(places)(to).km - nearest)).toBeLessThan(0.001)
    }),
  )
})

test('the search crosses the date line', () => {
  const places: Place[] = [-179.5, 170, 0].map((longitude) => ({ latitude: 52, longitude }))
  expect(nearestTo(places)({ latitude: 52, longitude: 179.5 }).nearest).toBe(places[0])
})

test('of places equally near the first one is found', () => {
  const places = Array.from({ length: 50 }, () => ({ latitude: 40, longitude: -100 }))
  expect(nearestTo(places)({ latitude: 41, longitude: -100 }).nearest).toBe(places[0])
})

test('there is no nearest of no places', () => {
  expect(() => nearestTo([])).toThrow(RangeError)
})
