// The clock of a test database: it stands or moves as it is told, in that database only.
import type pg from 'pg'
import { poolCaller } from './call.ts'
import { readClock } from './diagnosis.ts'

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
 * Replaces the one clock of Millrace in this database by one that reads a one-row table, and lets its copies run. The signature stays; the
 * owner's rights are needed because no role of Millrace may read the table.
 */
export async function installTestClock(client: pg.ClientBase): Promise<void> {
  await client.query(`
    begin;
    set local search_path to millrace;
    create table test_clock (
      only_row boolean primary key default true check (only_row),
      frozen_at timestamptz,
      moved interval not null default interval '0'
    );
    alter table test_clock enable row level security;
    insert into test_clock default values;
    create or replace function now() returns timestamptz
      language sql stable security definer set search_path = millrace, pg_temp
      as 'select coalesce(frozen_at, clock_timestamp()) + moved from millrace.test_clock';
    -- What is copied from this one is there to be worked in.
    update setting set value = '"any"' where name = 'home';
    commit;
  `)
}

export function testClock(pool: pg.Pool): TestClock {
  const run = async (text: string, values: unknown[] = []): Promise<void> => {
    await pool.query(text, values)
  }
  return {
    freeze: (at) =>
      run(
        `update millrace.test_clock
            set frozen_at = coalesce($1, coalesce(frozen_at, clock_timestamp()) + moved), moved = interval '0'`,
        [at ?? null],
      ),
    advance: (by) =>
      run('update millrace.test_clock set moved = moved + $1::interval', [
        typeof by === 'number' ? `${by} milliseconds` : by,
      ]),
    reset: () => run(`update millrace.test_clock set frozen_at = null, moved = interval '0'`),
    now: () => readClock(poolCaller(pool, { prepare: false, database: 'the test database' })),
  }
}
