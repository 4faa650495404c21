// The rows about a database that has lived: much that ended, and an old snapshot that keeps what was deleted.
import pg from 'pg'
import type { RowPlan } from '../row.ts'
import type { Stage } from '../stage.ts'
import { drained } from './queue.ts'

const tasks = 20_000
const ended = 100_000

const growth = (
  [
    ['growth-1m', 1_000_000, false],
    ['growth-10m', 10_000_000, true],
  ] as const
).map(
  ([name, count, long]): RowPlan => ({
    name,
    label: `drain beside ${count.toLocaleString('en-US')} that ended`,
    unit: 'tasks/s',
    better: 'more',
    how: 'the drain again, in a store with as many ended tasks as a peer would have kept of them',
    long,
    before: async (stage, size) => {
      await (await stage.agent('client')).call('fillHistory', { count: size.of(count) })
      await onDatabase(stage, (client) => client.query('vacuum analyze'))
    },
    turn: (stage, size) => drained(stage, size, { tasks, processes: 1 }),
  }),
)

const heldSnapshot: RowPlan = {
  name: 'held-snapshot',
  label: 'drain under an old snapshot',
  unit: 'tasks/s',
  better: 'more',
  how: `the drain again, while a transaction that began before the last ${ended.toLocaleString('en-US')} tasks ended is still open`,
  before: async (stage, size) => {
    const snapshot = new pg.Client(stage.postgresUrl)
    // Its database is dropped under it in the end.
    snapshot.on('error', () => {})
    await snapshot.connect()
    await snapshot.query('begin isolation level repeatable read')
    await snapshot.query('select count(*) from pg_class')
    for (let done = 0; done < size.of(ended); done += size.of(tasks))
      await drained(stage, { ...size, limitMs: 5 * size.limitMs }, { tasks, processes: 1 })
  },
  turn: (stage, size) => drained(stage, size, { tasks, processes: 1 }),
}

export const ageRows: readonly RowPlan[] = [...growth, heldSnapshot]

async function onDatabase(stage: Stage, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(stage.postgresUrl)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
