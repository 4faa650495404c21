// The rows about a queue: putting tasks in, and working them off in one or several processes.
import type { Done } from '../agent-work.ts'
import type { Agent } from '../agent-process.ts'
import type { Cost } from '../costs.ts'
import type { RowName, Setup } from '../peer.ts'
import { NoValue, type Turn } from '../measured-turn.ts'
import type { RowPlan, Size } from '../row.ts'
import type { Stage } from '../stage.ts'
import { allBegan, beganIn, recorded } from './began.ts'
import { warmDrain, warmLimitMs } from './warm-up.ts'

const tasks = 20_000
/** Calls under way in each of several clients. */
const callsEach = 10
const warmTasks = 100

const asLongAs =
  'from the start of the workers until the last end is recorded; or what began of them in 20 s (5 s by default settings), where the note says so'

const enqueueOne: RowPlan = {
  name: 'enqueue-one',
  label: 'enqueue, one by one',
  unit: 'tasks/s',
  better: 'more',
  how: '2,000 calls of one client, each after the answer to the one before; no worker',
  setup: { noWorkers: true },
  turn: async (stage, size) => {
    const client = await stage.agent('client')
    await client.call('enqueue', { count: 1, width: 1, limitMs: warmLimitMs })
    const { given, cost } = await stage.metered(() =>
      client.call('enqueue', { count: size.of(2_000), width: 1, limitMs: size.limitMs }),
    )
    return enqueued(given, cost)
  },
}

const enqueueBulk: RowPlan = {
  name: 'enqueue-bulk',
  label: 'enqueue in bulk',
  unit: 'tasks/s',
  better: 'more',
  how: '20,000 tasks in the fastest call that the peer has; no worker',
  setup: { noWorkers: true },
  turn: async (stage, size) => {
    const client = await stage.agent('client')
    await client.call('enqueueMany', { count: warmTasks, keys: 0 })
    const { given, cost } = await stage.metered(() =>
      client.call('enqueueMany', { count: size.of(tasks), keys: 0 }),
    )
    return enqueued(given, cost)
  },
}

const clients = ([1, 4, 8] as const).map(
  (count): RowPlan => ({
    name: `clients-${count}`,
    label: `enqueue from ${count} ${count === 1 ? 'process' : 'processes'}`,
    unit: 'tasks/s',
    better: 'more',
    how: `${callsEach} single calls under way in each; no worker`,
    setup: { noWorkers: true },
    turn: async (stage, size) => {
      const agents = await stage.agents('client', count)
      const each = Math.ceil(size.of(8_000) / count)
      const enqueue = (calls: number, limitMs: number) =>
        Promise.all(agents.map((agent) => agent.call('enqueue', { count: calls, width: callsEach, limitMs })))
      await enqueue(callsEach, warmLimitMs)
      const { given, cost } = await stage.metered(() => enqueue(each, size.limitMs))
      const done = given.reduce((sum, one) => sum + one.done, 0)
      return enqueued({ done, ms: Math.max(...given.map(({ ms }) => ms)) }, cost)
    },
  }),
)

function enqueued({ done, ms }: Done, cost: Cost): Turn {
  return { value: (done / ms) * 1_000, spent: { ...cost, units: done }, leftOver: false }
}

const drain = drainRow('drain', 'drain', 1)
const workers = ([2, 4] as const).map((count) =>
  drainRow(`workers-${count}`, `drain by ${count} processes`, count),
)

function drainRow(name: RowName, label: string, processes: number): RowPlan {
  return {
    name,
    label,
    unit: 'tasks/s',
    better: 'more',
    how: `20,000 tasks that wait, ${asLongAs}`,
    turn: (stage, size) => drained(stage, size, { tasks, processes }),
  }
}

const limits = (
  [
    ['limit-one', 'drain under one limit', { limit: { capacity: 100, perKey: false } }, 0],
    [
      'limit-10000',
      'drain, one at a time of each of 10,000 keys',
      { limit: { capacity: 1, perKey: true } },
      10_000,
    ],
  ] as const
).map(
  ([name, label, setup, keys]): RowPlan => ({
    name,
    label,
    unit: 'tasks/s',
    better: 'more',
    how:
      keys === 0
        ? `20,000 tasks of which at most 100 may run at once in all processes, ${asLongAs}`
        : `20,000 tasks of 10,000 keys, of each of which one may run at once, ${asLongAs}`,
    setup: setup as Setup,
    turn: (stage, size) => drained(stage, size, { tasks, processes: 1, keys }),
  }),
)

export const queueRows: readonly RowPlan[] = [
  enqueueOne,
  enqueueBulk,
  ...clients,
  drain,
  ...workers,
  ...limits,
]

interface Drain {
  readonly tasks: number
  readonly processes: number
  readonly keys?: number
}

/** Puts tasks in, then starts the workers and waits until the end of the last task is recorded. */
export async function drained(stage: Stage, size: Size, drain: Drain): Promise<Turn> {
  const workers = await stage.agents('worker', drain.processes)
  await warmDrain(stage, workers, size, { keys: drain.keys })
  return drainedAgain(stage, size, drain)
}

/** The same without the warm-up. */
export async function drainedAgain(
  stage: Stage,
  { of, limitMs }: Size,
  { tasks: full, processes, keys = 0 }: Drain,
): Promise<Turn> {
  const count = of(full)
  const client = await stage.agent('client')
  const workers = await stage.agents('worker', processes)
  await client.call('enqueueMany', { count, keys })
  // Whoever ends within the time has the statistics of autovacuum in the next turn; whoever doesn't has a new place each time.
  await stage.maintain('analyze')
  const { given, cost } = await stage.metered(() => workedOff(workers, count, limitMs))
  const { done, ms } = given
  const seconds = Math.round(limitMs / 1_000)
  if (done === 0)
    throw new NoValue(`none of ${count.toLocaleString('en-US')} tasks had begun after ${seconds} s`)
  const leftOver = done < count
  return {
    value: (done / ms) * 1_000,
    // What was in hand has ended since.
    spent: { ...cost, units: leftOver ? await beganIn(workers) : done },
    leftOver,
    ...(leftOver ? { note: `${done} of ${count} in ${seconds} s` } : {}),
  }
}

/** How many began and how long that took, with all ends where none is left over; what is in hand then ends as well. */
async function workedOff(workers: readonly Agent[], count: number, limitMs: number): Promise<Done> {
  const startedMs = performance.now()
  const started = Promise.all(workers.map((worker) => worker.call('startWorker', {})))
  const began = allBegan(workers, count, limitMs)
  await started
  const done = await began
  // More than that began where one began twice.
  if (done >= count) await recorded(workers[0]!)
  const ms = performance.now() - startedMs
  await Promise.all(workers.map((worker) => worker.call('stopWorker')))
  return { done, ms }
}
