// The SQL functions as tests call them: one thin, typed call each, on a pool or on one connection.
import { randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'
import { uuidV7 } from '../src/core/uuid.ts'
import type { TestDatabase } from './database.ts'

/** Whatever answers statements with rows: a test database, or one connection of it. */
export interface Sql {
  query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<Row[]>
}

/** A connection of its own: for transactions that meet others half-way. */
export interface Connection extends Sql {
  end(): Promise<void>
}

export async function connect(database: Pick<TestDatabase, 'url'>): Promise<Connection> {
  const client = new pg.Client(database.url)
  client.on('error', () => {})
  await client.connect()
  return {
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await client.query<Row>(text, values)).rows,
    end: () => client.end(),
  }
}

/** Resolves once some other session waits for a lock: the moment at which two transactions have met. */
export async function untilBlocked(sql: Sql, sessions = 1): Promise<void> {
  for (;;) {
    const [row] = await sql.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and state = 'active'`,
    )
    if ((row?.waiting ?? 0) >= sessions) return
  }
}

/** An id as the SDK makes one. */
export const newId = (nowMs = Date.now()): string => uuidV7(nowMs, randomBytes(16))

export interface StepSpec {
  name: string
  kind?: string
  over?: string
  after?: string[]
  queue?: string
  max_attempts?: number
  backoff?: { initial_ms?: number; factor?: number; max_ms?: number; jitter?: 'full' | 'none' }
  timeout_ms?: number
  on_error?: 'fail' | 'skip' | { fallback: unknown }
  if_skipped?: 'run' | 'skip'
  concurrency?: number
  fail_after?: number | string
  batch?: { size: number; within_ms: number; key?: string[][] }
  undoes?: string
  follows?: 'completed' | 'failed'
}

interface RegisteredStep {
  id: number
  step: string
  kind: string
  handler: number
}

export interface Registered {
  version: number
  created: boolean
  steps: RegisteredStep[]
}

export async function registerPipeline(
  sql: Sql,
  slug: string,
  steps: StepSpec[],
  key: string[][] = [],
): Promise<Registered> {
  const [row] = await sql.query<Registered & pg.QueryResultRow>(
    'select * from millrace.register_pipeline($1, $2)',
    [slug, JSON.stringify({ steps, key })],
  )
  if (row === undefined) throw new Error(`${slug} was not registered`)
  return row
}

/** A chain of plain steps: each comes after the one before it. */
export const chain = (...names: string[]): StepSpec[] =>
  names.map((name, index) => ({ name, after: names.slice(index - 1, index) }))

export interface StartOptions {
  id?: string
  version?: number
  priority?: number
  tenant?: string
  headers?: Record<string, unknown>
  availableAt?: string
  idempotencyKey?: string
  idempotencySeconds?: number
}

export interface Started {
  created: boolean
  reason: string | null
  run_id: string
}

export async function startRun(
  sql: Sql,
  slug: string,
  input: unknown = null,
  options: StartOptions = {},
): Promise<Started> {
  const [row] = await sql.query<Started & pg.QueryResultRow>(
    `select created, reason, run_id from millrace.start_run($1, $2, id => $3, version => $4, priority => $5, tenant => $6, headers => $7,
       available_at => $8, idempotency_key => $9, idempotency_seconds => $10)`,
    [
      slug,
      JSON.stringify(input),
      options.id ?? null,
      options.version ?? null,
      options.priority ?? 5,
      options.tenant ?? null,
      options.headers === undefined ? null : JSON.stringify(options.headers),
      options.availableAt ?? null,
      options.idempotencyKey ?? null,
      options.idempotencySeconds ?? 86_400,
    ],
  )
  if (row === undefined) throw new Error(`the start of ${slug} was not answered`)
  return row
}

export interface BatchStart {
  id: string
  slug: string
  input?: unknown
  priority?: number
  idempotencyKey?: string
}

export interface BatchAnswer {
  reason: string
  run_id: string
  live_run_id: string | null
  task_id: string | null
  step_id: number | null
}

/** Starts in one call; with a worker, they may come back leased to it. */
export function startRuns(sql: Sql, starts: BatchStart[], worker?: Worker, room = 0): Promise<BatchAnswer[]> {
  const keys = starts.map((start) => start.idempotencyKey ?? null)
  return sql.query<BatchAnswer & pg.QueryResultRow>(
    `select * from millrace.start_runs($1::uuid[], $2::text[], $3::int[], $4::jsonb[], $5::smallint[],
       idempotency_keys => $6::text[], worker_id => $7, worker_lock_key => $8, room => $9, wake_always => false)`,
    [
      starts.map((start) => start.id),
      starts.map((start) => start.slug),
      starts.map(() => null),
      starts.map((start) => JSON.stringify(start.input ?? null)),
      starts.map((start) => start.priority ?? 5),
      keys.some((key) => key !== null) ? keys : null,
      worker?.id ?? null,
      worker?.lockKey ?? null,
      room,
    ],
  )
}

export interface Worker {
  id: string
  lockKey: number
  handlers: number[]
}

/** A worker that takes work, serving all handlers there are unless told which. */
export async function registerWorker(
  sql: Sql,
  options: { handlers?: number[]; leaseSeconds?: number; slots?: number } = {},
): Promise<Worker> {
  const id = randomUUID()
  const handlers = options.handlers ?? (await allHandlers(sql))
  const [row] = await sql.query<{ key: number }>(
    `select millrace.register_worker($1, 'test', 'here', 1, '0', $2, '{default}', $3, $4) as key`,
    [id, options.slots ?? 100, handlers, options.leaseSeconds ?? 10],
  )
  await sql.query("update millrace.worker set state = 'idle' where id = $1", [id])
  return { id, lockKey: row?.key ?? 0, handlers }
}

async function allHandlers(sql: Sql): Promise<number[]> {
  const rows = await sql.query<{ id: number }>('select id from millrace.handler order by id')
  return rows.map(({ id }) => id)
}

export interface Task {
  task_id: string
  run_id: string
  step_id: number
  item: number
  item_value: unknown
  attempt: number
}

export interface ClaimedTask extends Task {
  priority: number
  handler: number
  failures: number
  input: unknown
}

const priorities = [1, 2, 3, 4, 5, 6, 7, 8, 9]

export interface Lanes {
  handlers: number[]
  priorities: number[]
  positions: number[]
}

/** Every priority of every handler, from the first position on. */
export function lanesOf(handlers: number[]): Lanes {
  const lanes = handlers.flatMap((handler) => priorities.map((priority) => ({ handler, priority })))
  return {
    handlers: lanes.map(({ handler }) => handler),
    priorities: lanes.map(({ priority }) => priority),
    positions: lanes.map(() => 0),
  }
}

/** All lanes from their beginning, as a worker looks at them once a second: who was called from a limit comes first. */
export function fullLook(handlers: number[]): Lanes {
  const lanes = lanesOf(handlers)
  return { ...lanes, positions: lanes.positions.map(() => -1) }
}

export function claim(
  sql: Sql,
  worker: Worker,
  room: number,
  lanes: Lanes = lanesOf(worker.handlers),
): Promise<ClaimedTask[]> {
  return sql.query<ClaimedTask & pg.QueryResultRow>(
    'select * from millrace.claim_tasks($1, $2, $3, $4, $5, $6)',
    [worker.id, worker.lockKey, room, lanes.handlers, lanes.priorities, lanes.positions],
  )
}

/** One claimed task, or an error: for tests that know there is one. */
export async function claimOne(sql: Sql, worker: Worker): Promise<ClaimedTask> {
  const [task] = await claim(sql, worker, 1)
  if (task === undefined) throw new Error('there was nothing to claim')
  return task
}

/** The task of an answer, for the next call: a chain's next step is answered without the run, which the caller knows. */
export function taskOf(answer: CompletionAnswer | undefined, run_id: string): Task {
  if (answer?.kind !== 'next') throw new Error('no next task was answered')
  return { ...answer, run_id, item: answer.item ?? -1 }
}

export interface Completion {
  task: Task
  output?: unknown
  skipReason?: string
}

export interface CompleteOptions {
  room?: number
  watched?: boolean
  transactional?: boolean
  leastUrgent?: number
  /** Steps that wait for runs which end here may come along. */
  wakes?: boolean
}

export interface CompletionAnswer extends Task {
  kind: 'next' | 'ended' | 'lost' | 'woken'
  output: unknown
}

/** Completes tasks that give nothing. */
export function completeAll(
  sql: Sql,
  worker: Worker,
  tasks: readonly Completion['task'][],
): Promise<CompletionAnswer[]> {
  return complete(
    sql,
    worker,
    tasks.map((task) => ({ task })),
  )
}

/** The runs of tasks, in their order. */
export const runsOf = (tasks: readonly Pick<Task, 'run_id'>[]): string[] => tasks.map(({ run_id }) => run_id)

export function complete(
  sql: Sql,
  worker: Worker,
  completions: Completion[],
  options: CompleteOptions = {},
): Promise<CompletionAnswer[]> {
  return sql.query<CompletionAnswer & pg.QueryResultRow>(
    `select * from millrace.complete_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::jsonb[],
       skip_reasons => $7::text[], watched => $8::boolean[], room => $9, transactional => $10, least_urgent => $11, wakes => $12)`,
    [
      worker.id,
      worker.lockKey,
      completions.map(({ task }) => task.task_id),
      completions.map(({ task }) => task.step_id),
      completions.map(({ task }) => task.attempt),
      completions.map(({ output }) => JSON.stringify(output ?? null)),
      completions.map(({ skipReason }) => skipReason ?? null),
      completions.map(() => options.watched ?? false),
      options.room ?? 0,
      options.transactional ?? false,
      options.leastUrgent ?? 5,
      options.wakes ?? false,
    ],
  )
}

export interface Failure {
  task: Task
  error?: { code: string; message: string; retryable: boolean } | Record<string, unknown>
  random?: number | null
  delayMs?: number | null
}

export interface FailureAnswer {
  kind: 'retry' | 'lost'
  task_id: string
  retry_at: Date | null
}

const someError = { code: 'Error', message: 'It went wrong.', retryable: true }

export function fail(sql: Sql, worker: Worker, failures: Failure[]): Promise<FailureAnswer[]> {
  return sql.query<FailureAnswer & pg.QueryResultRow>(
    'select * from millrace.fail_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::jsonb[], $7::float8[], $8::float8[])',
    [
      worker.id,
      worker.lockKey,
      failures.map(({ task }) => task.task_id),
      failures.map(({ task }) => task.step_id),
      failures.map(({ task }) => task.attempt),
      failures.map(({ error }) => JSON.stringify(error ?? someError)),
      failures.map(({ random }) => random ?? 0.5),
      failures.map(({ delayMs }) => delayMs ?? null),
    ],
  )
}

export function release(
  sql: Sql,
  worker: Worker,
  tasks: Task[],
): Promise<{ kind: string; task_id: string }[]> {
  return sql.query<{ kind: string; task_id: string }>(
    'select * from millrace.release_tasks($1, $2, $3::bigint[], $4::int[], $5::int[])',
    [
      worker.id,
      worker.lockKey,
      tasks.map(({ task_id }) => task_id),
      tasks.map(({ step_id }) => step_id),
      tasks.map(({ attempt }) => attempt),
    ],
  )
}

export interface HeartbeatAnswer {
  kind: 'gone' | 'order' | 'lost' | 'abort' | 'task' | 'look'
  detail: string | null
  task_id: string | null
}

export function heartbeat(
  sql: Sql,
  worker: Worker,
  tasks: Task[] = [],
  options: { sweep?: boolean; locked?: boolean; room?: number } = {},
): Promise<HeartbeatAnswer[]> {
  const lanes = lanesOf(worker.handlers)
  return sql.query<HeartbeatAnswer & pg.QueryResultRow>(
    `select * from millrace.heartbeat_worker($1, $2, 'running', false, $3, $4::bigint[], $5::int[], $6, $7, $8, $9, $10)`,
    [
      worker.id,
      worker.lockKey,
      options.locked ?? false,
      tasks.map(({ task_id }) => task_id),
      tasks.map(({ attempt }) => attempt),
      options.sweep ?? false,
      options.room ?? 0,
      lanes.handlers,
      lanes.priorities,
      lanes.positions,
    ],
  )
}

/** Prunes until there is no more to: a week of history that is due goes in several calls. */
export async function pruneAll(sql: Sql): Promise<void> {
  for (let more = true; more; ) {
    const [turn] = await sql.query<{ more: boolean }>('select more from millrace.prune_history()')
    more = turn!.more
  }
}

/** Functions that only others call find their tables by the path that those set. */
export const withPath = (call: string): string =>
  `with path as materialized (select set_config('search_path', 'millrace, pg_temp', true) as path)
   select ${call} as answer from path where path is not null`

/** What every worker does twice a second for all: gone workers are swept, what is due is promoted. */
export async function sweep(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ answer: number }>(withPath('millrace.sweep_workers($1)'), [randomUUID()])
  return row?.answer ?? 0
}

export async function promote(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ answer: number }>(withPath('millrace.promote_tasks(100000)'))
  return row?.answer ?? 0
}

export interface StepStart {
  started: boolean
  reason: string | null
  attempt: number | null
  item_value: unknown
}

export async function startStep(
  sql: Sql,
  run: string,
  step: string,
  options: { leaseSeconds?: number; item?: number; holder?: string } = {},
): Promise<StepStart> {
  const [row] = await sql.query<StepStart & pg.QueryResultRow>(
    'select * from millrace.start_step($1, $2, lease_seconds => $3, item => $4, holder => $5)',
    [run, step, options.leaseSeconds ?? 300, options.item ?? -1, options.holder ?? null],
  )
  if (row === undefined) throw new Error(`the start of ${step} was not answered`)
  return row
}

export async function cancelRun(sql: Sql, run: string, undo = false): Promise<boolean> {
  return truth(await sql.query<Answer>('select millrace.cancel_run($1, undo => $2) as answer', [run, undo]))
}

export async function pauseRun(sql: Sql, run: string): Promise<boolean> {
  return truth(await sql.query<Answer>('select millrace.pause_run($1) as answer', [run]))
}

export async function resumeRun(sql: Sql, run: string): Promise<boolean> {
  return truth(await sql.query<Answer>('select millrace.resume_run($1) as answer', [run]))
}

type Answer = { answer: boolean }

const truth = (rows: Answer[]): boolean => rows[0]?.answer === true

export interface RunRow {
  id: string
  state: string
  key: string | null
  output: unknown
  error: Record<string, unknown> | null
  priority: number
  started_at: Date | null
  finished_at: Date | null
  paused_at: Date | null
}

export async function runOf(sql: Sql, id: string): Promise<RunRow> {
  const [row] = await sql.query<RunRow & pg.QueryResultRow>('select * from millrace.run where id = $1', [id])
  if (row === undefined) throw new Error(`there is no run ${id}`)
  return row
}

export interface AttemptRow {
  step: string
  item: number
  attempt: number
  outcome: string
  output: unknown
  error: Record<string, unknown> | null
  reason: string | null
  retry_at: Date | null
  finished_at: Date
}

export function attemptsOf(sql: Sql, run: string, step?: string): Promise<AttemptRow[]> {
  return sql.query<AttemptRow & pg.QueryResultRow>(
    `select * from millrace.attempt where run_id = $1 and ($2::text is null or step = $2)
      order by step, item, attempt`,
    [run, step ?? null],
  )
}

/** The outcomes of a run's attempts, such as "a completed", in the order of their names. */
export async function outcomesOf(sql: Sql, run: string): Promise<string[]> {
  const attempts = await attemptsOf(sql, run)
  return attempts.map(({ step, item, outcome }) => `${step}${item < 0 ? '' : `[${item}]`} ${outcome}`)
}

/** Works until nothing is left: each task is answered by `output`, by its step's name, its item and the run's input. */
export async function workOff(
  sql: Sql,
  worker: Worker,
  output: (step: string, task: ClaimedTask) => unknown = (step) => step,
): Promise<void> {
  const steps = await sql.query<{ id: number; step: string }>('select id, step from millrace.step_definition')
  const names = new Map(steps.map(({ id, step }) => [id, step]))
  for (;;) {
    const tasks = await claim(sql, worker, 100)
    if (tasks.length === 0) return
    await complete(
      sql,
      worker,
      tasks.map((task) => ({ task, output: output(names.get(task.step_id) ?? '', task) })),
    )
    await giveBack(sql, worker)
  }
}

/** Starts a run for each of the inputs, in their order; answers with their ids. */
export async function startInputs(
  sql: Sql,
  slug: string,
  inputs: readonly unknown[],
  priority = 5,
): Promise<string[]> {
  const starts = inputs.map((input) => ({ id: newId(), slug, input, priority }))
  for (let n = 0; n < starts.length; n += 1_000) await startRuns(sql, starts.slice(n, n + 1_000))
  return starts.map(({ id }) => id)
}

/** What a completion leased to the worker lies ready again, so that the next claim finds it. */
export async function giveBack(sql: Sql, worker: Worker): Promise<void> {
  await sql.query(
    `update millrace.task set worker_id = null, claimed_at = null, attempt = attempt - 1 where worker_id = $1`,
    [worker.id],
  )
}
