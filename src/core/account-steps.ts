// Owns how an account tells the steps: the state of each, its attempts, the delay and reason of each retry, what it wrote.
import type {
  AccountAttempt,
  AccountError,
  AccountStep,
  AccountWorker,
  AccountWrites,
  RunAccount,
} from './account-data.ts'
import { isFinal, type StepState } from './state.ts'
import { fill, opposite } from './text-fill.ts'
import { clockOf, count, durationWords, grouped, msBetween, oneLine } from './wording.ts'

/** A map with more attempts than this tells only those that went wrong or had to. */
const mapAttemptsToldInFull = 10

export function stepLines(account: RunAccount): string[] {
  return ['What its steps did', ...account.steps.flatMap((step) => oneStep(account, step))]
}

function oneStep(account: RunAccount, step: AccountStep): string[] {
  const state = stepState(account, step)
  return [
    ...opposite(`  ${heading(step)}`, stateWords(step, state)),
    ...mapLines(step),
    ...pendingLine(account, step, state),
    ...toldAttempts(account, step).flatMap((attempt) => attemptLines(account, step, attempt)),
    ...leftOutLine(account, step),
  ].map((line) => line.trimEnd())
}

/** What a step does, read off its attempts and tasks. */
export function stepState(account: RunAccount, step: AccountStep): StepState {
  if (step.running > 0) return 'running'
  if (step.ready > 0) return 'ready'
  if (step.waiting > 0) return 'waiting'
  if (isAllDone(step)) return step.completed > 0 ? 'completed' : 'skipped'
  if (hasFailed(account, step)) return 'failed'
  if (isFinal(account.run.state)) return 'cancelled'
  return step.attempts > 0 ? 'running' : 'pending'
}

function isAllDone(step: AccountStep): boolean {
  const done = step.completed + step.skipped
  return done > 0 && (step.kind === 'step' || done >= (step.items ?? 1))
}

function hasFailed({ attempts }: RunAccount, { step }: AccountStep): boolean {
  return attempts.listed.some(
    (attempt) =>
      attempt.step === step &&
      (attempt.outcome === 'failed' || attempt.outcome === 'reclaimed') &&
      attempt.retry_at === null,
  )
}

function heading(step: AccountStep): string {
  const words = [
    step.kind === 'map' ? `map over ${step.over}` : '',
    step.items === null ? '' : count(step.items, 'item', 'items'),
    step.tx ? 'in one transaction' : '',
    step.queue === 'default' ? '' : `queue ${step.queue}`,
  ].filter((word) => word !== '')
  return words.length === 0 ? step.step : `${step.step}  ${words.join(', ')}`
}

function stateWords(step: AccountStep, state: StepState): string {
  if (state !== 'completed' || step.started_at === null || step.finished_at === null) return state
  return `${state} in ${durationWords(msBetween(step.started_at, step.finished_at))}`
}

function mapLines(step: AccountStep): string[] {
  if (step.kind === 'step' || step.items === null || step.items === 0) return []
  const slowest = (step.slowest ?? []).map(({ item, ms }) => `item ${item} with ${durationWords(ms)}`)
  return [
    ...indented(
      `${grouped(step.completed)} of ${count(step.items, 'item', 'items')} completed${failureWords(step)}.`,
    ),
    ...(step.attempts > mapAttemptsToldInFull ? indented(`The slowest: ${slowest.join(', ')}.`) : []),
  ]
}

function failureWords(step: AccountStep): string {
  if (step.items_with_failures === 0) return ', none failed'
  const attempts = count(step.failed + step.reclaimed, 'attempt', 'attempts')
  return `; ${attempts} at ${count(step.items_with_failures, 'item', 'items')} failed`
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
  const isToldInFull = step.kind === 'step' || step.attempts <= mapAttemptsToldInFull
  return isToldInFull ? own : own.filter((attempt) => attempt.outcome !== 'completed' || attempt.attempt > 1)
}

function leftOutLine({ attempts }: RunAccount, step: AccountStep): string[] {
  const listed = attempts.listed.filter((attempt) => attempt.step === step.step)
  const toldOutcomes = listed.filter((attempt) => attempt.outcome !== 'completed').length
  const all =
    step.kind === 'step'
      ? step.attempts - listed.length
      : step.failed + step.reclaimed + step.released + step.cancelled + step.skipped - toldOutcomes
  return all > 0
    ? indented(`… and ${count(all, 'more attempt', 'more attempts')} that did not complete.`)
    : []
}

function attemptLines(account: RunAccount, step: AccountStep, attempt: AccountAttempt): string[] {
  const time = clockOf(account.run.created_at, attempt.started_at)
  const margin = ' '.repeat(time.length + 6)
  const lines = fill(`${time}  ${outcomeWords(attempt)}`, { first: '    ', next: margin })
  const details = [
    attempt.error === null || attempt.outcome === 'reclaimed' ? '' : errorWords(attempt.error),
    retryWords(account, attempt),
    writeWords(step, attempt),
  ]
  const under = { first: margin, next: margin }
  return [...lines, ...details.filter((detail) => detail !== '').flatMap((detail) => fill(detail, under))]
}

function outcomeWords(attempt: AccountAttempt): string {
  const item = attempt.item === null ? '' : `item ${attempt.item}, `
  const reason = attempt.reason === null ? '' : `: ${oneLine(attempt.reason).replace(/\.$/, '')}`
  const took = durationWords(msBetween(attempt.started_at, attempt.finished_at))
  const name = `${item}attempt ${attempt.attempt}`
  switch (attempt.outcome) {
    case 'completed':
      return `${name} completed in ${took}${workerWords(attempt.worker)}${waitWords(attempt)}`
    case 'skipped':
      return `${item}skipped${reason}`
    case 'failed':
      return `${name} failed after ${took}${workerWords(attempt.worker)}${waitWords(attempt)}`
    case 'cancelled':
      return `${name} was cancelled after ${took}${workerWords(attempt.worker)}`
    case 'released':
      return `${name}${workerWords(attempt.worker)} was given back after ${took}${reason}`
    case 'reclaimed':
      return `${name} was lost after ${took}${reason}`
  }
}

/** Below this a wait before the attempt is not worth a word. */
const waitMsTold = 100

function waitWords({ ready_at, started_at }: AccountAttempt): string {
  const waited = msBetween(ready_at, started_at)
  return waited < waitMsTold ? '' : `, having waited ${durationWords(waited)}`
}

/** ' on NAME (process number)', shorter where the name says as much. */
export function workerWords(worker: AccountWorker | null): string {
  if (worker === null) return ''
  const name = oneLine(worker.name)
  if (worker.kind === 'outside') return ` by ${name} (outside)`
  const isTold = worker.process_id === null || name.includes(String(worker.process_id))
  return isTold ? ` on ${name}` : ` on ${name} (${worker.process_id})`
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

function retryWords(account: RunAccount, { outcome, finished_at, retry_at }: AccountAttempt): string {
  if (outcome === 'released') return 'it was ready again at once, and no failure was counted'
  if (outcome !== 'failed' && outcome !== 'reclaimed') return ''
  if (retry_at === null) return 'no further attempt'
  const delay = msBetween(finished_at, retry_at)
  if (delay <= 0) return 'the next attempt was ready at once'
  return `the next attempt ${durationWords(delay)} later, at ${clockOf(account.run.created_at, retry_at)}`
}

function writeWords(step: AccountStep, { outcome, writes }: AccountAttempt): string {
  if (!step.tx || outcome !== 'completed') return ''
  const tables = Object.entries(writes ?? {})
  return tables.length === 0
    ? 'it wrote no rows'
    : tables.map(([table, rows]) => tableWords(table, rows)).join('; ')
}

function tableWords(table: string, { inserted, updated, deleted }: AccountWrites): string {
  const parts = [
    inserted === 0 ? '' : `wrote ${count(inserted, 'row', 'rows')}`,
    updated === 0 ? '' : `changed ${grouped(updated)}`,
    deleted === 0 ? '' : `deleted ${grouped(deleted)}`,
  ].filter((part) => part !== '')
  return `${oneLine(table)}: ${parts.join(', ')}`
}

/** An error as code and message, in one line and without a full stop. */
export function errorWords(error: AccountError): string {
  const message = oneLine(error.message ?? 'no reason was given').replace(/\.$/, '')
  const isTold = error.code === undefined || error.code === 'Error' || message.includes(error.code)
  return isTold ? message : `${oneLine(error.code ?? '')}: ${message}`
}

function indented(text: string): string[] {
  return fill(text, { first: '    ', next: '    ' })
}
