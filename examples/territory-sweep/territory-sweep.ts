// The pipeline of the example: the airports of one state or territory, each with its nearest ZIP code and its traffic.
import { z } from 'zod'
import { PermanentError, pipeline } from '../../src/sdk/index.ts'
import { type Airport, airportsOf, nearestZipCode, trafficOf } from './data.ts'
import { type ReportRow, writeReport } from './schema.ts'

/** One run a territory; at most one of a territory is live, so a sweep started twice is one sweep. */
export const territorySweep = pipeline('territory-sweep', {
  input: z.object({ state: z.string().regex(/^[A-Z]{2}$/, 'two capital letters') }),
  key: ({ state }) => state,
  // Nothing here calls the outside: what fails once, as a lost connection does, may be tried again at once.
  retry: { initial: '200ms', max: '5s' },
})
  .step('search', ({ input }) => search(input.state))
  .map('enrich', { over: 'search' }, ({ item }) => enrich(item))
  .step('score', ({ steps }) => score(steps.enrich))
  .step('store', { tx: true }, ({ steps, input, run, tx }) =>
    writeReport(tx, { state: input.state, runId: run.id, rows: steps.score }),
  )
  .step('summary', ({ steps, input }) => summary(input.state, steps.score))

function search(state: string): readonly Airport[] {
  const airports = airportsOf(state)
  if (airports.length === 0) throw new PermanentError(`There is no airport in '${state}'.`)
  return airports
}

type EnrichedAirport = Omit<ReportRow, 'departures' | 'arrivals' | 'destinations' | 'rank'>

function enrich(airport: Airport): EnrichedAirport {
  const { zipCode, km } = nearestZipCode(airport)
  return {
    airport: airport.code,
    name: airport.name,
    city: airport.city,
    zip_code: zipCode.code,
    county: zipCode.county,
    zip_state: zipCode.state,
    distance_km: Math.round(km * 1000) / 1000,
  }
}

/** Adds each airport's flights, the busiest first; airports without flights follow in the order of their codes. */
function score(airports: readonly EnrichedAirport[]): ReportRow[] {
  return airports
    .map((airport) => ({ ...airport, ...trafficOf(airport.airport) }))
    .sort((left, right) => flights(right) - flights(left) || (left.airport < right.airport ? -1 : 1))
    .map((row, index) => ({ ...row, rank: index + 1 }))
}

function summary(state: string, rows: readonly ReportRow[]) {
  return {
    state,
    airports: rows.length,
    with_flights: rows.filter((row) => flights(row) > 0).length,
    flights: rows.reduce((sum, row) => sum + flights(row), 0),
    counties: new Set(rows.map((row) => `${row.zip_state} ${row.county}`)).size,
    busiest: rows[0]?.airport ?? null,
  }
}

function flights({ departures, arrivals }: Pick<ReportRow, 'departures' | 'arrivals'>): number {
  return departures + arrivals
}
