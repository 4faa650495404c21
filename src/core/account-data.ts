// Owns the data of a run's account, as the SQL function run_account answers them.
import type { StepKind } from './graph.ts'
import type { ToldReports } from './reports.ts'
import type { AttemptOutcome, RunState } from './state.ts'

export interface AccountWorker {
  readonly kind: 'worker' | 'outside'
  readonly name: string
  readonly host: string
  readonly process_id: number | null
}

export interface AccountError {
  readonly code?: string
  readonly message?: string
  readonly step?: string
  readonly item?: number
}

export interface AccountRun {
  readonly id: string
  readonly pipeline: string
  readonly version: number
  readonly tenant: string | null
  readonly key: string | null
  readonly state: RunState
  readonly priority: number
  readonly error: AccountError | null
  /** What it will end as, once what follows that has ended. */
  readonly outcome: 'completed' | 'failed' | 'cancelled' | null
  readonly outcome_error: AccountError | null
  readonly idempotency_key: string | null
  readonly started_via: string
  readonly started_by: string
  readonly created_at: string
  readonly available_at: string | null
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly paused_at: string | null
  /** The run that called it, and from where; null for others. */
  readonly parent_run_id: string | null
  readonly parent_step: string | null
  readonly parent_item: number | null
  readonly parent_call: string | null
  /** Its caller does not wait for it, and does not take it along. */
  readonly detached: boolean | null
  /** Rises with each change by a person. */
  readonly revision: number
  /** It failed, and nobody has decided on it yet. */
  readonly is_dead_letter: boolean
}

/** The run that a run was made of. */
export interface AccountOrigin {
  readonly run: string
  readonly kind: LineageKind
  /** From which step on it is done again; null for from the start, or from where it had failed. */
  readonly step: string | null
  /** Where its input is another one. */
  readonly difference: ReadonlyArray<{
    readonly path: readonly string[]
    readonly before?: unknown
    readonly after?: unknown
  }> | null
  readonly reason: string | null
  readonly redrive: string | null
  readonly by: string
}

/** A run that was made of this one; the state is null where it was pruned. */
export interface AccountOffspring {
  readonly run: string
  readonly kind: LineageKind
  readonly step: string | null
  readonly state: RunState | null
  readonly at: string
  readonly by: string
}

type LineageKind = 'redrive' | 'fork' | 'rerun'

export interface AccountStep {
  readonly step: string
  readonly kind: StepKind
  readonly over: string | null
  /** The step that it undoes, or the outcome of the run that it follows. */
  readonly undoes: string | null
  readonly follows: 'completed' | 'failed' | null
  readonly needs: readonly string[]
  readonly queue: string
  readonly max_attempts: number
  readonly tx: boolean
  readonly when: boolean
  /** Over how many items a map goes, or what undoes one; null while that is not known, and for other steps. */
  readonly items: number | null
  /** How many attempts there are, and how many of them ended how. */
  readonly attempts: number
  readonly completed: number
  readonly skipped: number
  readonly failed: number
  readonly reclaimed: number
  readonly released: number
  readonly cancelled: number
  readonly parked: number
  readonly items_with_failures: number
  /** Where it goes over items: how many failed for good, and how many wait for their turn. */
  readonly given_up: number
  readonly held_back: number
  /** How it ended, where it did as a whole. */
  readonly ended_as: 'completed' | 'skipped' | 'failed' | null
  readonly concurrency: number | null
  readonly fail_after: string | null
  /** Its tasks: held by a worker, ready to be claimed, waiting for a time. */
  readonly running: number
  readonly ready: number
  readonly waiting: number
  readonly started_at: string | null
  readonly finished_at: string | null
  /** The sum over its attempts. */
  readonly running_ms: number
  /** The items that took longest. */
  readonly slowest: ReadonlyArray<{ readonly item: number; readonly ms: number }> | null
}

export interface AccountWait {
  readonly name: string
  readonly kind: 'sleep' | 'signal' | 'approval' | 'call' | 'http'
  readonly since: string
  readonly due_at: string | null
  readonly signals: readonly string[] | null
  readonly child_run: string | null
  readonly children_left: number | null
  readonly approval: string | null
  readonly title: string | null
  readonly people: readonly string[] | null
  readonly roles: readonly string[] | null
  readonly quorum: number | null
  /** How many have approved. */
  readonly approvals: number
}

/** A run that this one called. */
export interface AccountChild {
  readonly run: string
  readonly pipeline: string
  readonly state: RunState
  readonly step: string
  readonly item: number | null
  readonly call: string
  readonly place: number
  readonly detached: boolean
}

export interface AccountTask {
  readonly step: string
  readonly item: number | null
  readonly state: 'running' | 'ready' | 'waiting'
  readonly reason: 'retry' | 'delayed' | 'paused' | 'waiting' | 'behind' | 'limit' | null
  readonly attempt: number
  readonly failures: number
  readonly max_attempts: number
  readonly since: string | null
  readonly available_at: string | null
  readonly is_aborted: boolean
  readonly worker: AccountWorker | null
  /** Of a parked task: what it waits for, at most five things. */
  readonly waits: readonly AccountWait[]
  /** The limit that it waits for. */
  readonly limit?: { readonly name: string; readonly key: string } | null
  /** Of a ready task whose step takes several at once: how many, and when it waits for no others at the latest. */
  readonly batch?: { readonly size: number; readonly due_at: string } | null
  /** False for a ready task that no live worker can claim. */
  readonly is_served: boolean
}

/** Rows that a step wrote in its own transaction. */
export interface AccountWrites {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

export interface AccountAttempt {
  readonly step: string
  readonly item: number | null
  readonly attempt: number
  readonly outcome: AttemptOutcome
  readonly worker: AccountWorker | null
  readonly ready_at: string
  readonly started_at: string
  readonly finished_at: string
  readonly retry_at: string | null
  readonly error: AccountError | null
  readonly reason: string | null
  readonly writes: Readonly<Record<string, AccountWrites>> | null
}

export interface AccountEvent {
  readonly at: string
  readonly actor: string
  readonly kind: string
  readonly step: string | null
  readonly item: number | null
  readonly attempt: number | null
  readonly detail: Readonly<Record<string, unknown>>
}

/** A list that may be cut: how many there are, and those that are listed. */
interface Listed<Entry> {
  readonly total: number
  readonly listed: readonly Entry[]
}

/** Where the time went, each moment counted once; in milliseconds. */
interface AccountTime {
  readonly total_ms: number
  readonly running_ms: number
  readonly paused_ms: number
  readonly queue_ms: number
  readonly retry_ms: number
  readonly parked_ms: number
  readonly delayed_ms: number
  readonly other_ms: number
}

/** The whole story of one run, bounded: names are those of the columns, times are ISO 8601 in UTC. */
/** Of how many starts a rule made one run. */
interface AccountStarts {
  readonly rule: string
  readonly kind: 'debounce' | 'throttle'
  readonly starts: number
  readonly first_at: string
  readonly last_at: string
}

export interface RunAccount extends ToldReports {
  readonly at: string
  readonly run: AccountRun
  readonly pipeline: {
    readonly paused_at: string | null
    readonly paused_by: string | null
    readonly pause_reason: string | null
  }
  readonly steps: readonly AccountStep[]
  readonly tasks: Listed<AccountTask>
  readonly attempts: Listed<AccountAttempt>
  readonly events: Listed<AccountEvent>
  readonly children: Listed<AccountChild> & { readonly states: Readonly<Partial<Record<RunState, number>>> }
  readonly lineage: {
    readonly of: AccountOrigin | null
    readonly total: number
    readonly into: readonly AccountOffspring[]
  }
  readonly time: AccountTime
  /** Where a rule on starts made it wait for more of them. */
  readonly starts: AccountStarts | null
  /** The run whose end it waits for before it begins. */
  readonly behind: { readonly run: string; readonly rule: string } | null
}
