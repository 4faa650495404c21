// The SQL functions of steps reported from outside: start, heartbeat, log, report, complete, fail, release.
import type { Caller } from './call.ts'
import type { ReportRow } from './streams.ts'

/** Which step of which run; the attempt is the token of everything after its start. */
export interface StepKey {
  readonly runId: string
  readonly step: string
  readonly attempt: number
  /** -1 for a plain step. */
  readonly item: number
}

export interface StartStepAnswer {
  readonly started: boolean
  readonly reason: string | null
  readonly attempt: number | null
  readonly item_value: unknown
  readonly lease_expires_at: Date | null
}

/** Takes a step for so many seconds. @throws MillraceError run_unknown, step_not_in_run, argument_invalid, holder_taken */
export async function startStep(
  caller: Caller,
  start: {
    readonly runId: string
    readonly step: string
    readonly item: number
    readonly heldBy: string
    readonly leaseSeconds: number
    /** An id made for this hold alone: asked again with it, the answer is the same. */
    readonly holder: string
  },
): Promise<StartStepAnswer> {
  const rows = await caller.call<StartStepAnswer>(
    {
      name: 'millrace_start_step',
      text: 'select started, reason, attempt, item_value, lease_expires_at from millrace.start_step($1, $2, $3, $4, $5, $6)',
    },
    [start.runId, start.step, start.heldBy, start.leaseSeconds, start.item, start.holder],
  )
  return rows[0]!
}

/** Prolongs the hold; false where the work should stop. @throws MillraceError attempt_lost */
export async function heartbeatStep(caller: Caller, key: StepKey): Promise<boolean> {
  const rows = await caller.call<{ wanted: boolean }>(
    { name: 'millrace_heartbeat_step', text: 'select millrace.heartbeat_step($1, $2, $3, $4) as wanted' },
    [key.runId, key.step, key.attempt, key.item],
  )
  return rows[0]!.wanted
}

/** Writes a log line; fields is JSON text. @throws MillraceError attempt_lost */
export async function logStep(caller: Caller, key: StepKey, message: string, fields: string): Promise<void> {
  await caller.call(
    { name: 'millrace_log_step', text: 'select millrace.log_step($1, $2, $3, $4, $5::jsonb, $6)' },
    [key.runId, key.step, key.attempt, message, fields, key.item],
  )
}

/** Says something of the step while it runs; the body is JSON text. @throws MillraceError attempt_lost, argument_invalid */
export async function reportStep(
  caller: Caller,
  key: StepKey,
  report: {
    readonly kind: ReportRow['kind']
    readonly body: string
    readonly number: number | null
  },
): Promise<void> {
  await caller.call(
    {
      name: 'millrace_report_step',
      text: 'select millrace.report_step($1, $2, $3, $4, $5::jsonb, $6, $7)',
    },
    [key.runId, key.step, key.attempt, report.kind, report.body, key.item, report.number],
  )
}

/** Completes the step; false where that was recorded already. @throws MillraceError attempt_lost */
export async function completeStep(caller: Caller, key: StepKey, output: string): Promise<boolean> {
  const rows = await caller.call<{ recorded: boolean }>(
    {
      name: 'millrace_complete_step',
      text: 'select millrace.complete_step($1, $2, $3, $4::jsonb, $5) as recorded',
    },
    [key.runId, key.step, key.attempt, output, key.item],
  )
  return rows[0]!.recorded
}

/** Fails the step; answers with the time of its next try, null where there is none. @throws MillraceError attempt_lost */
export async function failStep(
  caller: Caller,
  key: StepKey,
  error: string,
  random: number,
): Promise<Date | null> {
  const rows = await caller.call<{ retry_at: Date | null }>(
    {
      name: 'millrace_fail_step',
      text: 'select millrace.fail_step($1, $2, $3, $4::jsonb, $5, $6) as retry_at',
    },
    [key.runId, key.step, key.attempt, error, key.item, random],
  )
  return rows[0]!.retry_at
}

/** Gives the step back unfinished. @throws MillraceError attempt_lost */
export async function releaseStep(caller: Caller, key: StepKey, reason: string): Promise<void> {
  await caller.call(
    { name: 'millrace_release_step', text: 'select millrace.release_step($1, $2, $3, $4, $5)' },
    [key.runId, key.step, key.attempt, key.item, reason],
  )
}
