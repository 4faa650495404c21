// What the data of the example hold, and how their files are read.
import { expect, test } from 'vitest'
import { airportsOf, fieldsOf, nearestZipCode, territories, trafficOf } from './data.ts'
import { distanceKm } from './distance.ts'

test('there are 3,376 airports in 57 states and territories', () => {
  expect(territories().size).toBe(57)
  expect([...territories().values()].reduce((sum, count) => sum + count, 0)).toBe(3_376)
})

test('each airport belongs to one territory', () => {
  const codes = [...territories().keys()].flatMap((state) => airportsOf(state).map(({ code }) => code))
  expect(new Set(codes).size).toBe(codes.length)
})

test('an airport lies beside its nearest ZIP code', () => {
  const airport = airportsOf('GA').find(({ code }) => code === 'ATL')!
  const { zipCode, km } = nearestZipCode(airport)
  expect(zipCode.state).toBe('GA')
  expect(km).toBeLessThan(10)
  expect(km).toBe(distanceKm(airport, zipCode))
})

test('the traffic of an airport counts the flights of all its routes, and none where it has no route', () => {
  expect(trafficOf('ATL')).toEqual({ departures: 414_513, arrivals: 414_521, destinations: 173 })
  expect(trafficOf('00M')).toEqual({ departures: 0, arrivals: 0, destinations: 0 })
})

test.each([
  ['a,b,c', ['a', 'b', 'c']],
  [',,', ['', '', '']],
  ['53A,"Dr. C.P. Savage, Sr.",Montezuma', ['53A', 'Dr. C.P. Savage, Sr.', 'Montezuma']],
  ['DBN,"W. H. ""Bud"" Barron",', ['DBN', 'W. H. "Bud" Barron', '']],
])('the fields of %s are read', (line, fields) => {
  expect(fieldsOf(line)).toEqual(fields)
})
