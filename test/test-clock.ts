// The clock of a test database: millrace.now() reads a one-row table, so that tests move time instead of waiting.
import pg from 'pg'

export interface TestClock {
  /** Stops the clock, at this moment or at the one given. */
  freeze(at?: Date | string): Promise<void>
  /** Moves the clock, running or stopped: milliseconds, or an interval such as '2 days'. Negative goes back. */
  advance(by: number | string): Promise<void>
  /** The real time again, running. */
  reset(): Promise<void>
  /** What the database takes for now. */
  now(): Promise<Date>
}

/**
 * Replaces millrace.now() in this database. The signature stays; the owner's rights are needed because no role of
 * Millrace may read the table. Does nothing in a database without Millrace.
 */
export async function installTestClock(connectionString: string): Promise<void> {
  const client = new pg.Client(connectionString)
  await client.connect()
  try {
    const { rows } = await client.query<{ there: boolean }>(
      "select to_regprocedure('millrace.now()') is not null as there",
    )
    if (rows[0]?.there) await client.query(CLOCK_SQL)
  } finally {
    await client.end()
  }
}

const CLOCK_SQL = `
  create table millrace.test_clock (
    only_row boolean primary key default true check (only_row),
    frozen_at timestamptz,
    moved interval not null default interval '0'
  );
  alter table millrace.test_clock enable row level security;
  insert into millrace.test_clock default values;
  create or replace function millrace.now() returns timestamptz
    language sql stable security definer set search_path = millrace, pg_temp
    as 'select coalesce(frozen_at, clock_timestamp()) + moved from millrace.test_clock';
`

export function testClock(pool: pg.Pool): TestClock {
  const run = async (text: string, values: unknown[] = []): Promise<void> => {
    await pool.query(text, values)
  }
  return {
    freeze: (at) =>
      run("update millrace.test_clock set frozen_at = coalesce($1, millrace.now()), moved = '0'", [
        at ?? null,
      ]),
    advance: (by) =>
      run('update millrace.test_clock set moved = moved + $1::interval', [
        typeof by === 'number' ? `${by} milliseconds` : by,
      ]),
    reset: () => run("update millrace.test_clock set frozen_at = null, moved = '0'"),
    now: async () => {
      const { rows } = await pool.query<{ now: Date }>('select millrace.now() as now')
      return rows[0]?.now ?? new Date(Number.NaN)
    },
  }
}
