// The rows about a database that has lived: much that ended, and an old snapshot that keeps what was deleted.
import pg from 'pg'
import type { RowPlan, Size, Turn } from '../row.ts'
import type { Stage } from '../stage.ts'
import { drained } from './queue.ts'

const tasks = 20_000
const firstTasks = 1_000
const ended = 100_000
const longestEndingMs = 60_000
const fewer = 'or as many as one drains in half the time that a turn has'

const growth = (
  [
    ['growth-1m', 1_000_000, false],
    ['growth-10m', 10_000_000, true],
  ] as const
).map(([name, count, long]): RowPlan => {
  const drain = drainInTime()
  return {
    name,
    label: `drain beside ${count.toLocaleString('en-US')} that ended`,
    unit: 'tasks/s',
    better: 'more',
    how: `the drain again, of 20,000 tasks ${fewer}, in a store with as many ended tasks as a peer would have kept of them`,
    long,
    rounds: 3,
    before: async (stage, size) => {
      await (await stage.agent('client')).call('fillHistory', { count: size.of(count) })
      await onDatabase(stage, (client) => client.query('vacuum analyze'))
    },
    turn: drain,
  }
})

const drainUnderSnapshot = drainInTime()

const heldSnapshot: RowPlan = {
  name: 'held-snapshot',
  label: 'drain under an old snapshot',
  unit: 'tasks/s',
  better: 'more',
  how: `the drain again, of 20,000 tasks ${fewer}, while a transaction is open that began before the last ${ended.toLocaleString('en-US')} tasks ended, or those of ${longestEndingMs / 1_000} s`,
  rounds: 3,
  before: async (stage, size) => {
    const snapshot = new pg.Client(stage.postgresUrl)
    // Its database is dropped under it in the end.
    snapshot.on('error', () => {})
    await snapshot.connect()
    await snapshot.query('begin isolation level repeatable read')
    await snapshot.query('select count(*) from pg_class')
    const ends = performance.now() + longestEndingMs
    let done = 0
    while (done < size.of(ended) && performance.now() < ends)
      done += (await drainUnderSnapshot(stage, size)).units
  },
  turn: drainUnderSnapshot,
}

export const ageRows: readonly RowPlan[] = [...growth, heldSnapshot]

/**
 * The drain of as many tasks as a peer is sure to end: what is left over costs the place, and these are dear to make. How many that is shows a first drain
 * that does not count.
 */
function drainInTime(): (stage: Stage, size: Size) => Promise<Turn> {
  const fitting = new Map<string, number>()
  return async (stage, size) => {
    const name = `${stage.peer.name} ${stage.profile}`
    const learn = (turn: Turn) => {
      const most = turn.leftOver ? turn.units / 2 : (turn.value * size.limitMs) / 2_000
      fitting.set(name, Math.max(1, Math.min(size.of(tasks), Math.floor(most))))
      return turn
    }
    const drain = (count: number) => drained(stage, { ...size, of: () => count }, { tasks, processes: 1 })
    const first = fitting.has(name) ? undefined : learn(await drain(size.of(firstTasks)))
    if (first?.leftOver) return first
    const count = fitting.get(name)!
    const turn = await drain(count)
    if (turn.leftOver) learn(turn)
    const note = turn.note ?? (count < size.of(tasks) ? `${count.toLocaleString('en-US')} tasks` : undefined)
    return { ...turn, units: turn.units + (first?.units ?? 0), ...(note === undefined ? {} : { note }) }
  }
}

async function onDatabase(stage: Stage, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(stage.postgresUrl)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
