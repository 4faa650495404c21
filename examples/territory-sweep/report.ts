// What the sweep found, as a table of 80 columns, read from the user's own table.
import Table from 'cli-table3'
import { grouped } from './progress.ts'
import type { Connection } from './schema.ts'

interface TerritoryRow {
  readonly state: string
  readonly airports: number
  readonly with_flights: number
  readonly counties: number
  readonly flights: number
  readonly busiest: string
  readonly run_id: string
}

/** The territories with the most flights, first the one with most of all. */
export async function readTopTerritories(connection: Connection, limit: number): Promise<TerritoryRow[]> {
  const { rows } = await connection.query(
    `select state, count(*)::int as airports,
            count(*) filter (where departures + arrivals > 0)::int as with_flights,
            count(distinct (zip_state, county))::int as counties,
            sum(departures + arrivals)::int as flights,
            min(airport || ' ' || name) filter (where rank = 1) as busiest,
            min(run_id::text) as run_id
       from territory_report group by state order by flights desc, state limit $1`,
    [limit],
  )
  return rows as TerritoryRow[]
}

/** How many airports the report holds, and of how many territories. */
export async function countReport(
  connection: Connection,
): Promise<{ readonly airports: number; readonly territories: number }> {
  const { rows } = await connection.query(
    'select count(*)::int as airports, count(distinct state)::int as territories from territory_report',
  )
  return rows[0] as { airports: number; territories: number }
}

/** With the lines between them: 80. */
const columnWidths = [7, 10, 14, 10, 11, 21]
/** No lines between the rows. */
const chars = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }

/** The rows as a table of 80 columns. */
export function territoryTable(rows: readonly TerritoryRow[], { colors }: { readonly colors: boolean }): string {
  const table = new Table({
    head: ['State', 'Airports', 'With flights', 'Counties', 'Flights', 'The busiest'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'left'],
    colWidths: columnWidths,
    chars,
    style: colors ? { head: ['bold'], border: ['gray'] } : { head: [], border: [] },
  })
  for (const row of rows) {
    const counts = [row.airports, row.with_flights, row.counties, row.flights].map(grouped)
    table.push([row.state, ...counts, row.busiest])
  }
  return table.toString()
}
