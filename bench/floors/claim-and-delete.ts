// The floor of a drain: 100,000 rows of a bare queue, claimed and deleted in batches of 1,000 over four connections.
import type pg from 'pg'
import { perSecond } from '../measure.ts'

const rows = 100_000
const batch = 1_000
const connections = 4

const claim = `
  with next as (
    select id from floor.queue where worker is null and run_at <= now()
     order by priority, run_at, id limit ${batch} for update skip locked
  )
  update floor.queue q set worker = 1 from next where q.id = next.id returning q.id, q.payload`

/** Rows a second. */
export async function claimAndDelete(pool: pg.Pool): Promise<number> {
  await fill(pool)
  return perSecond(rows, () => Promise.all(Array.from({ length: connections }, () => drain(pool))))
}

async function fill(pool: pg.Pool): Promise<void> {
  await pool.query(`
    create schema if not exists floor;
    drop table if exists floor.queue;
    create table floor.queue (
      id bigint generated always as identity primary key,
      payload jsonb,
      priority int not null default 0,
      run_at timestamptz not null default now(),
      worker int
    ) with (fillfactor = 70);
    create index queue_ready on floor.queue (priority, run_at, id) where worker is null;
    insert into floor.queue (payload) select jsonb_build_object('i', n) from generate_series(1, ${rows}) n`)
  await pool.query('analyze floor.queue')
}

async function drain(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  try {
    for (;;) {
      const { rows: claimed } = await client.query<{ id: string }>({ name: 'floor_claim', text: claim })
      if (claimed.length === 0) return
      await client.query({
        name: 'floor_done',
        text: 'delete from floor.queue where id = any ($1::bigint[])',
        values: [claimed.map(({ id }) => id)],
      })
    }
  } finally {
    client.release(true)
  }
}
