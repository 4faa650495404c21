// The SQL functions of workers: register, heartbeat, sleep, orders, stop.
import type { Caller } from './call.ts'
import type { ClaimedTask, Lanes, WorkerKey } from './tasks.ts'

export interface WorkerRegistration {
  readonly workerId: string
  readonly name: string
  readonly host: string
  readonly processId: number
  readonly version: string
  readonly slots: number
  readonly queues: readonly string[]
  readonly handlers: readonly number[]
  readonly leaseSeconds: number
  /** The table of processes in which its process id means something; null where nobody can tell. */
  readonly machine: string | null
}

/** Registers a worker process under a fresh id; answers with the key of its locks. */
export async function registerWorker(caller: Caller, worker: WorkerRegistration): Promise<number> {
  const rows = await caller.call<{ lock_key: number }>(
    {
      name: 'millrace_register_worker',
      text: 'select millrace.register_worker($1, $2, $3, $4, $5, $6, $7::text[], $8::int[], $9, $10) as lock_key',
    },
    [
      worker.workerId,
      worker.name,
      worker.host,
      worker.processId,
      worker.version,
      worker.slots,
      worker.queues,
      worker.handlers,
      worker.leaseSeconds,
      worker.machine,
    ],
  )
  return rows[0]!.lock_key
}

export interface Heartbeat {
  readonly state: 'starting' | 'idle' | 'running' | 'paused' | 'draining'
  readonly sleeping: boolean
  /** Whether it holds its liveness lock. */
  readonly locked: boolean
  readonly held: ReadonlyArray<{ readonly taskId: number; readonly attempt: number }>
  /** Whether it may judge others by their locks: not before it has been connected for a lease itself. */
  readonly sweep: boolean
  readonly room: number
  readonly lanes: Lanes
}

export type HeartbeatAnswerRow =
  | ({ readonly kind: 'task'; readonly detail: null } & ClaimedTask)
  | { readonly kind: 'order'; readonly detail: 'none' | 'paused' | 'draining' }
  | {
      readonly kind: 'lost' | 'abort'
      readonly detail: 'failed' | 'cancelled' | null
      readonly task_id: number
    }
  | { readonly kind: 'gone'; readonly detail: null }
  /** What the worker serves was not looked for everywhere: it claims again. */
  | { readonly kind: 'look'; readonly detail: null }
  /** The next task is due in so many milliseconds, less than a second. */
  | { readonly kind: 'due'; readonly detail: string }
  /** People ordered runs to be redriven, and that is not through. */
  | { readonly kind: 'redrive'; readonly detail: null }
  /** Something of this kind is due that starts runs by itself. */
  | { readonly kind: 'trigger'; readonly detail: string }

const heartbeatStatement = {
  name: 'millrace_heartbeat_worker',
  text: `select kind, detail, task_id, run_id, step_id, item, item_value, attempt, priority, handler, failures, input, tenant, key, headers, run_created_at
    from millrace.heartbeat_worker($1, $2, $3, $4, $5, $6::bigint[], $7::int[], $8, $9, $10::int[], $11::smallint[], $12::bigint[])`,
}

/** Prolongs the lease, sweeps, promotes and claims, in one call. */
export function heartbeatWorker(
  caller: Caller,
  worker: WorkerKey,
  beat: Heartbeat,
): Promise<HeartbeatAnswerRow[]> {
  return caller.call<HeartbeatAnswerRow>(heartbeatStatement, [
    worker.workerId,
    worker.lockKey,
    beat.state,
    beat.sleeping,
    beat.locked,
    beat.held.map((held) => held.taskId),
    beat.held.map((held) => held.attempt),
    beat.sweep,
    beat.room,
    beat.lanes.handlers,
    beat.lanes.priorities,
    beat.lanes.positions,
  ])
}

/** The other workers of its machine, after those were counted as gone that it saw to be dead. */
export function sweepMachine(
  caller: Caller,
  worker: WorkerKey,
  dead: readonly string[],
): Promise<Array<{ readonly id: string; readonly process_id: number }>> {
  return caller.call(
    {
      name: 'millrace_sweep_machine',
      text: 'select id, process_id from millrace.sweep_machine($1, $2, $3::uuid[])',
    },
    [worker.workerId, worker.lockKey, dead],
  )
}

/** Says that the worker sleeps and is to be woken; false where it is gone. */
export async function sleepWorker(caller: Caller, worker: WorkerKey): Promise<boolean> {
  const rows = await caller.call<{ alive: boolean }>(
    { name: 'millrace_sleep_worker', text: 'select millrace.sleep_worker($1, $2) as alive' },
    [worker.workerId, worker.lockKey],
  )
  return rows[0]!.alive
}

/** The worker leaves in good order; what it still holds is given back as lost. */
export async function stopWorker(caller: Caller, worker: WorkerKey, reason: string): Promise<void> {
  await caller.call({ name: 'millrace_stop_worker', text: 'select millrace.stop_worker($1, $2, $3)' }, [
    worker.workerId,
    worker.lockKey,
    reason,
  ])
}

/** Orders a worker to claim nothing more. @throws MillraceError worker_unknown */
export function pauseWorker(caller: Caller, workerId: string): Promise<boolean> {
  return order(
    caller,
    { name: 'millrace_pause_worker', text: 'select millrace.pause_worker($1) as changed' },
    workerId,
  )
}

/** Orders a paused worker to claim again. @throws MillraceError worker_unknown */
export function resumeWorker(caller: Caller, workerId: string): Promise<boolean> {
  return order(
    caller,
    { name: 'millrace_resume_worker', text: 'select millrace.resume_worker($1) as changed' },
    workerId,
  )
}

/** Orders a worker to finish what it holds and stop. @throws MillraceError worker_unknown */
export function drainWorker(caller: Caller, workerId: string): Promise<boolean> {
  return order(
    caller,
    { name: 'millrace_drain_worker', text: 'select millrace.drain_worker($1) as changed' },
    workerId,
  )
}

async function order(
  caller: Caller,
  statement: { name: string; text: string },
  workerId: string,
): Promise<boolean> {
  return (await caller.call<{ changed: boolean }>(statement, [workerId]))[0]!.changed
}
