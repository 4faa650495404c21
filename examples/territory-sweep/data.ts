// The data of the example, read from the files of the npm package vega-datasets: airports, ZIP codes and routes.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { nearestTo, type Place } from './distance.ts'

export interface Airport extends Place {
  /** Three letters or digits, as the airport authority gives them. */
  readonly code: string
  readonly name: string
  readonly city: string
  /** Two letters; 'NA' where the data name none. */
  readonly state: string
}

export interface ZipCode extends Place {
  readonly code: string
  readonly city: string
  readonly state: string
  readonly county: string
}

/** The flights of one airport in a year. */
export interface Traffic {
  readonly departures: number
  readonly arrivals: number
  readonly destinations: number
}

/** Every state and territory that has an airport, with how many it has. */
export function territories(): ReadonlyMap<string, number> {
  return new Map([...airportsByState()].map(([state, airports]) => [state, airports.length]))
}

/** The airports of one state or territory, in the order of their codes. */
export function airportsOf(state: string): readonly Airport[] {
  return airportsByState().get(state) ?? []
}

/** The ZIP code whose centre is nearest to a place by great-circle distance. */
export function nearestZipCode(place: Place): { readonly zipCode: ZipCode; readonly km: number } {
  const { nearest, km } = zipCodeSearch()(place)
  return { zipCode: nearest, km }
}

/** The flights of an airport; none for one that no route touches. */
export function trafficOf(airport: string): Traffic {
  return trafficByAirport().get(airport) ?? { departures: 0, arrivals: 0, destinations: 0 }
}

// Each file is read when it is first needed, once a process: a worker runs thousands of tasks over the same data.

const airportsByState = once(() => {
  const airports = readTable('airports.csv', 'iata,name,city,state,country,latitude,longitude').map(airportOf)
  airports.sort((left, right) => (left.code < right.code ? -1 : 1))
  const byState = new Map<string, Airport[]>()
  for (const airport of airports) {
    const others = byState.get(airport.state)
    if (others === undefined) byState.set(airport.state, [airport])
    else others.push(airport)
  }
  return byState
})

const zipCodeSearch = once(() =>
  nearestTo(readTable('zipcodes.csv', 'zip_code,latitude,longitude,city,state,county').map(zipCodeOf)),
)

const trafficByAirport = once((): ReadonlyMap<string, Traffic> => {
  const traffic = new Map<string, { departures: number; arrivals: number; destinations: number }>()
  const at = (airport: string) => {
    const known = traffic.get(airport) ?? { departures: 0, arrivals: 0, destinations: 0 }
    traffic.set(airport, known)
    return known
  }
  for (const [origin = '', destination = '', count] of readTable(
    'flights-airport.csv',
    'origin,destination,count',
  )) {
    at(origin).departures += Number(count)
    at(origin).destinations += 1
    at(destination).arrivals += Number(count)
  }
  return traffic
})

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

function airportOf([
  code = '',
  name = '',
  city = '',
  state = '',
  ,
  latitude,
  longitude,
]: readonly string[]): Airport {
  return { code, name, city, state, latitude: Number(latitude), longitude: Number(longitude) }
}

function zipCodeOf([
  code = '',
  latitude,
  longitude,
  city = '',
  state = '',
  county = '',
]: readonly string[]): ZipCode {
  return { code, city, state, county, latitude: Number(latitude), longitude: Number(longitude) }
}

/** The rows of a file of the package; other columns than these mean another version of the data. */
function readTable(file: string, columns: string): string[][] {
  const [header, ...lines] = readFileSync(join(dataFolder, file), 'utf8').trimEnd().split(/\r?\n/)
  if (header !== columns)
    throw new Error(`${file} of vega-datasets has the columns ${header}, not ${columns}.`)
  return lines.map(fieldsOf)
}

const dataFolder = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data')

/** The fields of a line of CSV; a quoted one may hold commas, and quotes written twice. */
export function fieldsOf(line: string): string[] {
  if (!line.includes('"')) return line.split(',')
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  )
}
