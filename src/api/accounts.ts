// The account of a run over HTTP: what SQL tells of it, part by part. Each list is bounded and says how much there is.
import { z } from 'zod'
import { attemptOutcomes, runStates } from '../core/state.ts'
import { json, time, uuid } from './values.ts'

/** Why a step or a run failed: never with a stack. */
export const runError = z
  .object({
    code: z.string().optional(),
    message: z.string().optional(),
    step: z.string().optional(),
    item: z.int().optional(),
  })
  .meta({ id: 'RunError' })

const place = { step: z.string(), item: z.int().nullable() }

/** What steps have said while they ran. */
export const toldReports = {
  metadata: z.record(z.string(), json),
  parts: z.int().describe('How many parts its stream has.'),
  progress: z.array(
    z.object({
      ...place,
      attempt: z.int(),
      done: z.number(),
      total: z.number().nullable(),
      note: z.string().nullable(),
      at: time,
    }),
  ),
  metrics: z.array(
    z.object({
      name: z.string(),
      labels: z.record(z.string(), z.string()),
      values: z.int(),
      last: z.number(),
      min: z.number(),
      max: z.number(),
      sum: z.number(),
    }),
  ),
  objectives: z.array(
    z.object({
      name: z.string(),
      min: z.number().nullable(),
      max: z.number().nullable(),
      output: z.array(z.string()).nullable(),
      values: z.int(),
      found_min: z.number().nullable(),
      found_max: z.number().nullable(),
      state: z.enum(['met', 'missed', 'open']),
    }),
  ),
}

const lineageKind = z.enum(['redrive', 'fork', 'rerun'])

const difference = z
  .array(z.object({ path: z.array(z.string()), before: json.optional(), after: json.optional() }))
  .nullable()
  .describe('Where its input is another one.')

/** Of which run a run was made, and which were made of it. */
export const runLineage = z.object({
  of: z
    .object({
      run: uuid,
      kind: lineageKind,
      step: z.string().nullable(),
      difference,
      reason: z.string().nullable(),
      redrive: uuid.nullable(),
      by: z.string(),
    })
    .nullable(),
  total: z.int(),
  into: z.array(
    z.object({
      run: uuid,
      kind: lineageKind,
      step: z.string().nullable(),
      state: z.enum(runStates).nullable().describe('null: it was pruned.'),
      at: time,
      by: z.string(),
    }),
  ),
})

const worker = z
  .object({
    kind: z.enum(['worker', 'outside']),
    name: z.string(),
    host: z.string(),
    process_id: z.int().nullable(),
  })
  .nullable()

const accountRun = z.object({
  id: uuid,
  pipeline: z.string(),
  version: z.int(),
  tenant: z.string().nullable(),
  key: z.string().nullable(),
  state: z.enum(runStates),
  priority: z.int(),
  error: runError.nullable(),
  outcome: z.enum(['completed', 'failed', 'cancelled']).nullable(),
  outcome_error: runError.nullable(),
  idempotency_key: z.string().nullable(),
  started_via: z.string(),
  started_by: z.string(),
  created_at: time,
  available_at: time.nullable(),
  started_at: time.nullable(),
  finished_at: time.nullable(),
  paused_at: time.nullable(),
  parent_run_id: uuid.nullable(),
  parent_step: z.string().nullable(),
  parent_item: z.int().nullable(),
  parent_call: z.string().nullable(),
  detached: z.boolean().nullable(),
  revision: z.int(),
  is_dead_letter: z.boolean(),
})

const counts = {
  attempts: z.int(),
  completed: z.int(),
  skipped: z.int(),
  failed: z.int(),
  reclaimed: z.int(),
  released: z.int(),
  cancelled: z.int(),
  parked: z.int(),
  items_with_failures: z.int(),
  given_up: z.int(),
  held_back: z.int(),
  running: z.int(),
  ready: z.int(),
  waiting: z.int(),
  running_ms: z.number(),
}

const accountStep = z.object({
  step: z.string(),
  kind: z.enum(['step', 'map', 'sleep', 'signal', 'approval', 'call', 'http', 'sql', 'undo', 'finally']),
  over: z.string().nullable(),
  undoes: z.string().nullable(),
  follows: z.enum(['completed', 'failed']).nullable(),
  needs: z.array(z.string()),
  queue: z.string(),
  max_attempts: z.int(),
  tx: z.boolean(),
  when: z.boolean(),
  items: z.int().nullable(),
  ...counts,
  ended_as: z.enum(['completed', 'skipped', 'failed']).nullable(),
  concurrency: z.int().nullable(),
  fail_after: z.string().nullable(),
  started_at: time.nullable(),
  finished_at: time.nullable(),
  slowest: z.array(z.object({ item: z.int(), ms: z.number() })).nullable(),
})

const wait = z.object({
  name: z.string(),
  kind: z.enum(['sleep', 'signal', 'approval', 'call', 'http']),
  since: time,
  due_at: time.nullable(),
  signals: z.array(z.string()).nullable(),
  child_run: uuid.nullable(),
  children_left: z.int().nullable(),
  approval: uuid.nullable(),
  title: z.string().nullable(),
  people: z.array(z.string()).nullable(),
  roles: z.array(z.string()).nullable(),
  quorum: z.int().nullable(),
  approvals: z.int(),
})

const task = z.object({
  ...place,
  state: z.enum(['running', 'ready', 'waiting']),
  reason: z.enum(['retry', 'delayed', 'paused', 'waiting', 'behind', 'limit']).nullable(),
  attempt: z.int(),
  failures: z.int(),
  max_attempts: z.int(),
  since: time.nullable(),
  available_at: time.nullable(),
  is_aborted: z.boolean(),
  worker,
  waits: z.array(wait),
  limit: z.object({ name: z.string(), key: z.string() }).nullable().optional(),
  batch: z.object({ size: z.int(), due_at: time }).nullable().optional(),
  is_served: z.boolean(),
})

const writes = z.record(z.string(), z.object({ inserted: z.int(), updated: z.int(), deleted: z.int() }))

const attempt = z.object({
  ...place,
  attempt: z.int(),
  outcome: z.enum(attemptOutcomes),
  worker,
  ready_at: time,
  started_at: time,
  finished_at: time,
  retry_at: time.nullable(),
  error: runError.nullable(),
  reason: z.string().nullable(),
  writes: writes.nullable(),
})

const event = z.object({
  at: time,
  actor: z.string(),
  kind: z.string(),
  step: z.string().nullable(),
  item: z.int().nullable(),
  attempt: z.int().nullable(),
  detail: z.record(z.string(), json),
})

const child = z.object({
  run: uuid,
  pipeline: z.string(),
  state: z.enum(runStates),
  step: z.string(),
  item: z.int().nullable(),
  call: z.string(),
  place: z.int(),
  detached: z.boolean(),
})

function listed<Entry extends z.ZodType>(
  entry: Entry,
): z.ZodObject<{ total: z.ZodInt; listed: z.ZodArray<Entry> }> {
  return z.object({ total: z.int(), listed: z.array(entry) })
}

const spentTime = z.object({
  total_ms: z.number(),
  running_ms: z.number(),
  paused_ms: z.number(),
  queue_ms: z.number(),
  retry_ms: z.number(),
  parked_ms: z.number(),
  delayed_ms: z.number(),
  other_ms: z.number(),
})

export const runAccount = z
  .object({
    at: time,
    run: accountRun,
    pipeline: z.object({
      paused_at: time.nullable(),
      paused_by: z.string().nullable(),
      pause_reason: z.string().nullable(),
    }),
    steps: z.array(accountStep),
    tasks: listed(task),
    attempts: listed(attempt),
    events: listed(event),
    children: listed(child).extend({ states: z.partialRecord(z.enum(runStates), z.int()) }),
    lineage: runLineage,
    time: spentTime.describe('Where the time went, each moment counted once.'),
    starts: z
      .object({
        rule: z.string(),
        kind: z.enum(['debounce', 'throttle']),
        starts: z.int(),
        first_at: time,
        last_at: time,
      })
      .nullable(),
    behind: z.object({ run: uuid, rule: z.string() }).nullable(),
    ...toldReports,
  })
  .meta({ id: 'Account' })
