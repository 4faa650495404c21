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
}

/** The territories with the most flights, first the one with most of all. */
export async function readTopTerritories(connection: Connection, limit: number): Promise<TerritoryRow[]> {
  const { rows } = await connection.query(
    `select state, count(*)::int as airports,
            count(*) filter (where departures + arrivals > 0)::int as with_flights,
            count(distinct (zip_state, county))::int as counties,
            sum(departures + arrivals)::int as flights,
            min(airport || ' ' || name) filter (where rank = 1) as busiest
       from territory_report group by state order by flights desc, state limit $1`,
    [limit],
  )
  return rows as TerritoryRow[]
}

/** The run to tell: one in which a few attempts did not go well, where there is one; else that of the busiest territory. */
export async function readRunToTell(
  connection: Connection,
): Promise<{ readonly id: string; readonly state: string } | undefined> {
  const { rows } = await connection.query(
    `select r.run_id as id, r.state from territory_report r
      group by r.run_id, r.state
      order by (select nullif(count(*), 0) from millrace.attempt a
                 where a.run_id = r.run_id and a.outcome <> 'completed') nulls last,
               sum(r.departures + r.arrivals) desc
      limit 1`,
  )
  return rows[0] as { id: string; state: string } | undefined
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
export function territoryTable(
  rows: readonly TerritoryRow[],
  { colors }: { readonly colors: boolean },
): string {
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
