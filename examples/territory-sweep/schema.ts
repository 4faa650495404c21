// The user's own table, territory_report: what it looks like, and the two statements that write a territory into it.

/** One airport of the report; the names are those of the columns. */
export interface ReportRow {
  readonly airport: string
  readonly name: string
  readonly city: string
  readonly zip_code: string
  readonly county: string
  readonly zip_state: string
  readonly distance_km: number
  readonly departures: number
  readonly arrivals: number
  readonly destinations: number
  /** By flights, 1 is the busiest of its territory. */
  readonly rank: number
}

/** Whatever runs SQL: a connection, or the transaction of a `tx` step. */
export interface Connection {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: unknown[]; readonly rowCount: number | null }>
}

/** Makes the table where there is none. The primary key refuses an airport that is written twice. */
export async function createReportTable(connection: Connection): Promise<void> {
  await connection.query(`
    create table if not exists territory_report (
      airport text primary key,
      state text not null,
      rank int not null,
      name text not null,
      city text not null,
      zip_code text not null,
      county text not null,
      zip_state text not null,
      distance_km float8 not null check (distance_km >= 0),
      departures int not null,
      arrivals int not null,
      destinations int not null,
      run_id uuid not null,
      unique (state, rank)
    )`)
}

/**
 * Replaces what an earlier sweep wrote of this territory. The insert has no `on conflict`: the step that calls this is
 * marked `tx`, so its rows are committed together with its completion or not at all, and a second insert by the same
 * run would fail on the primary key instead of hiding.
 */
export async function writeReport(
  tx: Connection,
  report: { readonly state: string; readonly runId: string; readonly rows: readonly ReportRow[] },
): Promise<{ replaced: number; written: number }> {
  const { state, runId, rows } = report
  const replaced = await tx.query('delete from territory_report where state = $1 and run_id <> $2', [
    state,
    runId,
  ])
  const written = await tx.query(
    `insert into territory_report (airport, state, rank, name, city, zip_code, county, zip_state, distance_km,
       departures, arrivals, destinations, run_id)
     select airport, $1, rank, name, city, zip_code, county, zip_state, distance_km,
       departures, arrivals, destinations, $2
       from jsonb_to_recordset($3::jsonb) as given (airport text, rank int, name text, city text, zip_code text,
         county text, zip_state text, distance_km float8, departures int, arrivals int, destinations int)`,
    [state, runId, JSON.stringify(rows)],
  )
  return { replaced: replaced.rowCount ?? 0, written: written.rowCount ?? 0 }
}
