// Owns how an account tells the steps: the state of each, how far a map is, which of its attempts are told.
import { attemptLines, isToldInFull } from './account-attempts.ts'
import type { AccountAttempt, AccountStep, AccountWorker, RunAccount } from './account-data.ts'
import { isFinal, type StepState } from './state.ts'
import { fill, opposite } from './text-fill.ts'
import { count, durationWords, grouped, msBetween, oneLine } from './wording.ts'

export function stepLines(account: RunAccount): string[] {
  return ['What its steps did', ...account.steps.flatMap((step) => oneStep(account, step))]
}

function oneStep(account: RunAccount, step: AccountStep): string[] {
  const state = stepState(account, step)
  return [
    ...headingLines(step, stateWords(step, state)),
    ...mapLines(step),
    ...pendingLine(account, step, state),
    ...attemptLines(account, step, toldAttempts(account, step)),
    ...leftOutLine(account, step),
  ].map((line) => line.trimEnd())
}

/** What a step does, read off its attempts and tasks. */
export function stepState(account: RunAccount, step: AccountStep): StepState {
  if (step.running > 0) return 'running'
  if (step.ready > 0) return 'ready'
  if (step.waiting > 0) return 'waiting'
  if (step.ended_as !== null) return step.ended_as
  if (isAllDone(step)) return step.completed + step.given_up > 0 ? 'completed' : 'skipped'
  if (step.given_up > 0) return 'failed'
  if (isFinal(account.run.state)) return 'cancelled'
  return step.attempts > 0 ? 'running' : 'pending'
}

/** Whether all items have come to their end, and none to one that isn't tolerated: an undo that failed leaves standing what it was to undo. */
function isAllDone({ completed, skipped, given_up, fail_after, items }: AccountStep): boolean {
  if (given_up > 0 && fail_after === null) return false
  const done = completed + skipped + given_up
  return done > 0 && done >= (items ?? 1)
}

function headingLines(step: AccountStep, state: string): string[] {
  const lines = fill(heading(step), { first: '  ', next: '    ' })
  const last = lines.pop() ?? ''
  return [...lines, ...opposite(last, state)]
}

function heading(step: AccountStep): string {
  const words = [
    kindWords(step),
    step.items === null ? '' : count(step.items, 'item', 'items'),
    step.tx ? 'in one transaction' : '',
    step.queue === 'default' ? '' : `queue ${step.queue}`,
  ].filter((word) => word !== '')
  return words.length === 0 ? step.step : `${step.step}  ${words.join(', ')}`
}

function kindWords({ kind, over, undoes, follows }: AccountStep): string {
  if (kind === 'step') return ''
  if (kind === 'map') return `map over ${over}`
  if (kind === 'undo') return `undoes ${undoes}`
  if (kind === 'finally') return follows === 'failed' ? 'after the failure' : 'after the success'
  return kind
}

function stateWords(step: AccountStep, state: StepState): string {
  if (state !== 'completed' || step.started_at === null || step.finished_at === null) return state
  return `${state} in ${durationWords(msBetween(step.started_at, step.finished_at))}`
}

function mapLines(step: AccountStep): string[] {
  if (step.items === null || step.items === 0) return []
  const slowest = (step.slowest ?? []).map(({ item, ms }) => `item ${item} with ${durationWords(ms)}`)
  return [
    ...indented(
      `${grouped(step.completed)} of ${count(step.items, 'item', 'items')} completed${failureWords(step)}.`,
    ),
    ...turnLine(step),
    ...(isToldInFull(step) ? [] : indented(`The slowest: ${slowest.join(', ')}.`)),
  ]
}

function failureWords(step: AccountStep): string {
  if (step.items_with_failures === 0) return ', none failed'
  const attempts = count(step.failed + step.reclaimed, 'attempt', 'attempts')
  const failed = `; ${attempts} at ${count(step.items_with_failures, 'item', 'items')} failed`
  return step.fail_after === null || step.given_up === 0
    ? failed
    : `${failed}, and ${grouped(step.given_up)} for good, where its failAfter is ${step.fail_after}`
}

function turnLine({ held_back, concurrency }: AccountStep): string[] {
  if (held_back === 0) return []
  const waiting = count(held_back, 'item waits for its turn', 'items wait for their turn')
  return indented(`${waiting}: ${concurrency} at a time.`)
}

function pendingLine(account: RunAccount, step: AccountStep, state: StepState): string[] {
  if (state === 'cancelled' && step.attempts === 0) return indented('It never began.')
  if (state !== 'pending') return []
  const open = step.needs.filter((name) => {
    const needed = account.steps.find((one) => one.step === name)
    return needed !== undefined && !isFinal(stepState(account, needed))
  })
  return open.length === 0 ? [] : indented(`It waits for ${open.join(', ')}.`)
}

function toldAttempts({ attempts }: RunAccount, step: AccountStep): AccountAttempt[] {
  const own = attempts.listed.filter((attempt) => attempt.step === step.step)
  return isToldInFull(step)
    ? own
    : own.filter((attempt) => attempt.outcome !== 'completed' || attempt.attempt > 1)
}

function leftOutLine({ attempts }: RunAccount, step: AccountStep): string[] {
  const listed = attempts.listed.filter((attempt) => attempt.step === step.step)
  const completed = listed.filter((attempt) => attempt.outcome === 'completed').length
  const incomplete = step.attempts - step.completed - (listed.length - completed)
  const left = step.kind === 'step' ? step.attempts - listed.length : incomplete
  if (left <= 0) return []
  const what = left > incomplete ? '' : ' that did not complete'
  return indented(`… and ${count(left, 'more attempt', 'more attempts')}${what}.`)
}

/** Where its workers were, each once. */
export function workerLines({ attempts, tasks }: RunAccount): string[] {
  const told = new Set<string>()
  for (const { worker } of [...attempts.listed, ...tasks.listed]) {
    if (worker?.kind === 'worker') told.add(placeWords(worker))
  }
  return told.size === 0
    ? []
    : ['Its workers', ...[...told].flatMap((place) => fill(place, { first: '  ', next: '    ' }))]
}

function placeWords({ name, host, process_id }: AccountWorker): string {
  return `${oneLine(name)}: process ${process_id ?? 'unknown'} on host ${oneLine(host)}`
}

function indented(text: string): string[] {
  return fill(text, { first: '    ', next: '    ' })
}
