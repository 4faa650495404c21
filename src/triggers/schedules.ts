// Owns the work of schedules that are due: evaluates them, tells their schedules of firings that ended, and marks those that are overdue.
import {
  type EvaluatedSchedule,
  evaluateSchedule,
  type Evaluation,
  faultyEvaluation,
} from '../core/due-slots.ts'
import type { Caller } from '../db/call.ts'
import { sqlState } from '../db/database-error.ts'
import { markOverdue, settleFirings } from '../db/firings.ts'
import { dueSchedules, fireSchedules } from '../db/schedules.ts'
import type { TriggerTask } from './trigger-work.ts'

/** So many schedules are evaluated at once: small enough that their runs begin together, and large enough that they share commits. */
const schedules_at_once = 250
/** Slots that are caught up may be a thousand a schedule: with so many starts one call has enough, so that it ends long before the database gives it up. */
const starts_at_once = 1_000
/** A worker's heartbeats wait while slots are worked out: what is left after so long has the next turn. */
const evaluation_ms = 250
/** So long schedules have their turns alone; the rest is for the next look. */
const alone_ms = 2_000
const settled_at_once = 500
const marked_at_once = 1_000

/** The kinds of work that schedules bring. */
export function scheduleTasks(caller: Caller): ReadonlyArray<readonly [string, TriggerTask]> {
  return [
    ['schedule', () => evaluateDue(caller)],
    ['firing_end', () => settleFirings(caller, settled_at_once)],
    ['firing_deadline', async () => (await markOverdue(caller, marked_at_once)) >= marked_at_once],
  ]
}

/** Evaluates what is due; any number of workers may do so at once, because an evaluation holds only where nobody came first. */
async function evaluateDue(caller: Caller): Promise<boolean> {
  const due = await dueSchedules(caller, schedules_at_once)
  if (due.length === 0) return false
  const evaluations = evaluateInTime(due)
  const { held, tried } = await fireAll(caller, due, evaluations)
  const isAll = due.length < schedules_at_once && tried === due.length
  // Where somebody else is at it, there is nothing to do that they don't do.
  return (held > 0 || tried < evaluations.length) && (!isAll || evaluations.some(isUnfinished(due[0]!.at)))
}

/** The first of them, at least one: slots of days that nobody was there for take a while each, here and when they are started. */
function evaluateInTime(due: ReadonlyArray<EvaluatedSchedule & { readonly at: Date }>): Evaluation[] {
  const until = performance.now() + evaluation_ms
  const evaluations: Evaluation[] = []
  let starts = 0
  for (const schedule of due) {
    const evaluation = evaluateSchedule(schedule, schedule.at)
    evaluations.push(evaluation)
    starts += evaluation.firings.filter(({ reason }) => reason === null).length
    if (starts >= starts_at_once || performance.now() > until) break
  }
  return evaluations
}

function isUnfinished(at: Date): (evaluation: Evaluation) => boolean {
  return ({ next }) => next !== null && next <= at
}

interface Fired {
  /** How many of them held. */
  readonly held: number
  readonly tried: number
}

/** Where all together are refused, or one of them waits or meets a fault that may pass, each has its turn alone: so one schedule keeps none of the others from firing. */
async function fireAll(
  caller: Caller,
  schedules: readonly EvaluatedSchedule[],
  evaluations: readonly Evaluation[],
): Promise<Fired> {
  try {
    return { held: await fireSchedules(caller, evaluations), tried: evaluations.length }
  } catch (error) {
    if (!isOwnFault(error) && !isTriedAlone(error)) throw error
  }
  const until = performance.now() + alone_ms
  let held = 0
  for (const [index, evaluation] of evaluations.entries()) {
    if (performance.now() > until) return { held, tried: index }
    held += await fireAlone(caller, schedules[index]!, evaluation)
  }
  return { held, tried: evaluations.length }
}

/** What is wrong with one schedule is its own fault. */
async function fireAlone(
  caller: Caller,
  schedule: EvaluatedSchedule,
  evaluation: Evaluation,
): Promise<number> {
  try {
    return await fireSchedules(caller, [evaluation])
  } catch (error) {
    if (!isOwnFault(error)) throw error
    return fireSchedules(caller, [faultyEvaluation(schedule, error)])
  }
}

/** The database refused what it was given: not that it is away, busy, full or not to be written to. */
function isOwnFault(error: unknown): boolean {
  return /^(?:21|22|23|MR|P0)/.test(sqlState(error) ?? '')
}

/** The database tries a schedule with which this happens again a second later, once it comes alone. */
function isTriedAlone(error: unknown): boolean {
  return /^(?:53|55|58|XX)/.test(sqlState(error) ?? '')
}
