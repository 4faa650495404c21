// Owns what a doctor looks at in the schema: the partitions ahead, the workers, and tasks that nobody serves.
import { count, durationWords } from '../../core/wording.ts'
import type { HistoryFacts, UnservedRow, WorkerRow } from '../../db/diagnosis.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

/** What came with a copy would happen twice. */
export function checkCopy(isCopy: boolean): Finding {
  if (!isCopy) return ok('copy', 'The database is no copy of another one')
  return fail(
    'copy',
    'The database is a copy of another one: nothing runs in it, and no worker can register.',
    'If its runs, schedules and callbacks are to go on here, say so with: npx millrace database enable',
  )
}

const weeksWanted = 2

export function checkPartitions({ weeks_ahead, retention_days }: HistoryFacts): Finding {
  const age = retention_days === null ? 'none dropped by its age' : `kept for ${retention_days} days`
  const words = `${count(weeks_ahead, 'week', 'weeks')} of history ahead, ${age}`
  if (weeks_ahead >= weeksWanted) return ok('history', words)
  return warn(
    'history',
    `Partitions are made for ${count(weeks_ahead, 'week', 'weeks')} ahead only.`,
    'Start a worker: it makes them.',
  )
}

export function checkWorkers(workers: readonly WorkerRow[]): Finding {
  if (workers.length === 0)
    return warn('workers', 'No worker is alive.', 'Start one with: npx millrace worker')
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0)
  const held = workers
    .filter(({ state }) => state === 'paused' || state === 'draining')
    .map(({ name, state }) => `${name} is ${state}`)
  const words = `${count(workers.length, 'worker', 'workers')} alive with ${count(slots, 'slot', 'slots')}`
  return ok('workers', [words, ...held].join('; '))
}

const unservedTold = 3

export function checkTasks(unserved: readonly UnservedRow[], now: Date): Finding {
  if (unserved.length === 0) return ok('tasks', 'Every ready task is served by a live worker')
  const places = unserved
    .slice(0, unservedTold)
    .map(
      ({ pipeline, version, queue, tasks, ready_since }) =>
        `${count(tasks, 'task', 'tasks')} of ${pipeline} version ${version} on queue ${queue} since ${durationWords(now.getTime() - ready_since.getTime())}`,
    )
  const more = unserved.length > unservedTold ? ` and ${unserved.length - unservedTold} more` : ''
  return warn(
    'tasks',
    `Nobody serves ${places.join('; ')}${more}.`,
    'Start a worker with that version of the pipeline, or cancel the runs.',
  )
}
