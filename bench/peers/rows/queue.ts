// The rows about a queue: putting tasks in, and working them off in one or several processes.
import { setTimeout as pause } from 'node:timers/promises'
import type { Agent } from '../agent-process.ts'
import type { RowName, Setup } from '../peer.ts'
import type { RowPlan, Size, Turn } from '../row.ts'
import type { Stage } from '../stage.ts'

const tasks = 20_000
/** Calls under way in each of several clients. */
const callsEach = 10

const enqueueOne: RowPlan = {
  name: 'enqueue-one',
  label: 'enqueue, one by one',
  unit: 'tasks/s',
  better: 'more',
  how: '2,000 calls of one client, each after the answer to the one before; no worker',
  turn: async (stage, size) => {
    const { done, ms } = await (await stage.agent('client')).call('enqueue', {
      count: size.of(2_000),
      width: 1,
      limitMs: size.limitMs,
    })
    return { value: (done / ms) * 1_000, units: done, leftOver: false }
  },
}

const enqueueBulk: RowPlan = {
  name: 'enqueue-bulk',
  label: 'enqueue in bulk',
  unit: 'tasks/s',
  better: 'more',
  how: '20,000 tasks in the fastest call that the peer has; no worker',
  turn: async (stage, size) => {
    const { done, ms } = await (await stage.agent('client')).call('enqueueMany', {
      count: size.of(tasks),
      keys: 0,
    })
    return { value: (done / ms) * 1_000, units: done, leftOver: false }
  },
}

const clients = ([1, 4, 8] as const).map(
  (count): RowPlan => ({
    name: `clients-${count}`,
    label: `enqueue from ${count} ${count === 1 ? 'process' : 'processes'}`,
    unit: 'tasks/s',
    better: 'more',
    how: `${callsEach} single calls under way in each; no worker`,
    turn: async (stage, size) => {
      const agents = await stage.agents('client', count)
      const each = Math.ceil(size.of(8_000) / count)
      const done = await Promise.all(
        agents.map((agent) =>
          agent.call('enqueue', { count: each, width: callsEach, limitMs: size.limitMs }),
        ),
      )
      const total = done.reduce((sum, one) => sum + one.done, 0)
      const longest = Math.max(...done.map(({ ms }) => ms))
      return { value: (total / longest) * 1_000, units: total, leftOver: false }
    },
  }),
)

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
    how: '20,000 tasks that wait, from the start of the workers until the last end is recorded',
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
        ? '20,000 tasks of which at most 100 may run at once in all processes'
        : '20,000 tasks of 10,000 keys, of each of which one may run at once',
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
export async function drained(
  stage: Stage,
  { of, limitMs }: Size,
  { tasks: full, processes, keys = 0 }: Drain,
): Promise<Turn> {
  const count = of(full)
  const client = await stage.agent('client')
  const workers = await stage.agents('worker', processes)
  await client.call('enqueueMany', { count, keys })
  const startedMs = performance.now()
  const started = Promise.all(workers.map((worker) => worker.call('startWorker', {})))
  const began = allBegan(workers, count, limitMs)
  await started
  const done = await began
  if (done === count) await recorded(workers[0]!)
  const ms = performance.now() - startedMs
  await Promise.all(workers.map((worker) => worker.call('stopWorker')))
  return {
    value: (done / ms) * 1_000,
    units: done,
    leftOver: done < count,
    ...(done < count ? { note: `${done} of ${count} in ${Math.round(limitMs / 1_000)} s` } : {}),
  }
}

/** How many had begun when all had, or when the time was over; counted from the last start of the workers. */
export function allBegan(workers: readonly Agent[], count: number, limitMs: number): Promise<number> {
  const total = () => workers.reduce((sum, worker) => sum + worker.begun, 0)
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(total()), limitMs)
    const look = () => {
      if (total() < count) return
      clearTimeout(timer)
      resolve(total())
    }
    for (const worker of workers) worker.onBegun(look)
    look()
  })
}

export async function recorded(worker: Agent): Promise<void> {
  const ends = performance.now() + 60_000
  while (!(await worker.call('allRecorded'))) {
    if (performance.now() > ends)
      throw new Error('All tasks have begun, and the end of some is never recorded.')
    await pause(5)
  }
}
