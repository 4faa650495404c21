// The rows about a database that has lived: much that ended, and an old snapshot that keeps what was deleted.
import pg from 'pg'
import { NoValue, type Turn } from '../measured-turn.ts'
import type { RowPlan, Size } from '../row.ts'
import type { Stage } from '../stage.ts'
import { DrainSize } from './drain-size.ts'
import { drained, drainedAgain } from './queue.ts'
import { warmWidth } from './warm-up.ts'

const tasks = 20_000
const firstTasks = 200
const ended = 100_000
const longestEndingMs = 60_000
const fewer =
  'or as many as are sure to end in the time of a turn: the note says how many, the same in all turns'

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
    how: `the drain again, of 20,000 tasks ${fewer}, in a store with as many ended tasks as a peer would have kept of them`,
    long,
    rounds: 3,
    before: async (stage, size) => {
      await (await stage.agent('client')).call('fillHistory', { count: size.of(count) })
      await stage.maintain('vacuum analyze')
      // What was just written goes to the disk now, not while something is measured.
      await stage.maintain('checkpoint')
      await learnSize(stage, size, ({ isSettled }) => isSettled)
    },
    turn: drainOfSize,
  }),
)

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
    await learnSize(stage, size, ({ done }) => done >= size.of(ended) || performance.now() >= ends)
  },
  turn: drainOfSize,
}

export const ageRows: readonly RowPlan[] = [...growth, heldSnapshot]

/** How many tasks a turn in that place is of. */
const sizes = new WeakMap<Stage, number>()

/** Drains that don't count, until the caller has enough of them. */
async function learnSize(stage: Stage, size: Size, isEnough: (learned: DrainSize) => boolean): Promise<void> {
  const first = warmWidth(stage, firstTasks)
  const learned = new DrainSize({ first, most: size.of(tasks), limitMs: size.limitMs })
  while (!isEnough(learned)) {
    const { count } = learned
    const { value } = await drainOf(stage, size, count, drainedAgain)
    learned.learn((count / value) * 1_000)
  }
  sizes.set(stage, learned.proved)
}

async function drainOfSize(stage: Stage, size: Size): Promise<Turn> {
  const count = sizes.get(stage)!
  const turn = await drainOf(stage, size, count, drained)
  return count < size.of(tasks) ? { ...turn, note: `${count.toLocaleString('en-US')} tasks` } : turn
}

/** What it leaves over would be work of the next one, and in a place made anew other things would have ended: neither is the same drain again. */
async function drainOf(stage: Stage, size: Size, count: number, drain: typeof drained): Promise<Turn> {
  const turn = await drain(stage, { ...size, of: () => count }, { tasks, processes: 1 })
  if (turn.leftOver) throw new NoValue(`the same drain can’t be repeated: one left work over, ${turn.note}`)
  return turn
}
