// The two tables of the floors: runs, and the checkpoints of their steps. No more than durability needs.
import type pg from 'pg'

export async function createFloorTables(pool: pg.Pool): Promise<void> {
  await pool.query(`
    create schema if not exists floor;
    drop table if exists floor.steps, floor.runs;
    create table floor.runs (
      id bigint generated always as identity primary key,
      state text not null,
      input jsonb,
      output jsonb,
      created_at timestamptz not null default now(),
      done_at timestamptz
    );
    create table floor.steps (
      run_id bigint not null,
      step int not null,
      output jsonb,
      at timestamptz not null default now(),
      primary key (run_id, step)
    )`)
}
