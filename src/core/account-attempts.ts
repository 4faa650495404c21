// Owns how an account tells attempts: the outcome of each, the delay and reason of each retry, what it wrote; many that are alike as one.
import type {
  AccountAttempt,
  AccountError,
  AccountStep,
  AccountWorker,
  AccountWrites,
  RunAccount,
} from './account-data.ts'
import { batchWords, companyWords } from './account-batches.ts'
import { limitWords, waitedMs } from './account-limits.ts'
import { fill } from './text-fill.ts'
import { clockOf, count, durationWords, msBetween, grouped, oneLine } from './wording.ts'

/** A map with more attempts than this tells only those that went wrong or had to. */
const mapAttemptsToldInFull = 10
/** So many items whose attempts are alike are told together. */
const alikeMin = 3
const rangesTold = 4

type Alike = [AccountAttempt, ...AccountAttempt[]]

export function isToldInFull(step: AccountStep): boolean {
  return step.kind === 'step' || step.attempts <= mapAttemptsToldInFull
}

/** The attempts in their order; those of items that are alike stand together where the first of them does. */
export function attemptLines(
  account: RunAccount,
  step: AccountStep,
  attempts: readonly AccountAttempt[],
): string[] {
  const groups = new Map<string, Alike>()
  for (const attempt of attempts) {
    const likeness = likenessOf(account, step, attempt)
    const group = groups.get(likeness)
    if (group === undefined) groups.set(likeness, [attempt])
    else group.push(attempt)
  }
  return [...groups.values()]
    .flatMap((group) => (group.length < alikeMin ? group.map((attempt): Alike => [attempt]) : [group]))
    .sort(([left], [right]) => attempts.indexOf(left) - attempts.indexOf(right))
    .flatMap((group) => entryLines(account, step, group))
}

/** What is told of an attempt besides its item and its times: attempts with the same text are alike. */
function likenessOf(account: RunAccount, step: AccountStep, attempt: AccountAttempt): string {
  const { item, outcome, reason, worker } = attempt
  const isAlone = item === null || (isToldInFull(step) && outcome === 'completed')
  return JSON.stringify([
    isAlone ? item : 'some item',
    attempt.attempt,
    outcome,
    reason,
    detailOf(attempt),
    workerWords(worker),
    retryOf(attempt),
    waitedMs(account, attempt) < waitMsTold,
    limitWords(account, attempt),
    batchWords(account, attempt),
    writeWords(step, attempt),
  ])
}

function entryLines(account: RunAccount, step: AccountStep, alike: Alike): string[] {
  const [first] = alike
  const time = clockOf(account.run.created_at, first.started_at)
  const margin = ' '.repeat(time.length + 6)
  const lines = fill(`${time}  ${outcomeWords(account, alike)}`, { first: '    ', next: margin })
  const written = writeWords(step, first)
  const details = [
    detailOf(first),
    alike.length === 1 ? companyWords(account, first) : '',
    retryWords(account, alike),
    written === '' || alike.length === 1 ? written : `each: ${written}`,
  ]
  const under = { first: margin, next: margin }
  return [...lines, ...details.filter((detail) => detail !== '').flatMap((detail) => fill(detail, under))]
}

/** The error; of a lost attempt its reason says it all. */
function detailOf({ error, outcome }: AccountAttempt): string {
  return error === null || outcome === 'reclaimed' ? '' : errorWords(error)
}

function outcomeWords(account: RunAccount, alike: Alike): string {
  const [{ attempt, outcome, reason, worker }] = alike
  const items = itemWords(alike)
  const why = reason === null ? '' : `: ${oneLine(reason).replace(/\.$/, '')}`
  const took = span(alike, ({ started_at, finished_at }) => msBetween(started_at, finished_at))
  const name = `${items}attempt ${attempt}`
  const batch = batchWords(account, alike[0])
  switch (outcome) {
    case 'completed':
      if (reason !== null && isCopied(reason)) return `${items}${oneLine(reason)}${copiedWords(worker)}`
      if (worker === null && reason !== null) return `${items}its fallback was taken${why}`
      return `${name} completed in ${took}${workerWords(worker)}${batch}${waitWords(account, alike)}`
    case 'skipped':
      return `${items}skipped${why}`
    case 'failed':
      return `${name} failed after ${took}${workerWords(worker)}${batch}${waitWords(account, alike)}`
    case 'cancelled':
      return `${name} was cancelled after ${took}${workerWords(worker)}`
    case 'released':
      return `${name}${workerWords(worker)} was given back after ${took}${why}`
    case 'reclaimed':
      return `${name} was lost after ${took}${why}`
    case 'parked':
      return `${name} parked after ${took}${workerWords(worker)}${waitWords(account, alike)}${why}`
  }
}

/** Nothing was done in this run: another one's output was taken over. */
function isCopied(reason: string): boolean {
  return reason.startsWith('copied from run ')
}

function copiedWords(worker: AccountWorker | null): string {
  return worker === null ? '' : `, where it completed${workerWords(worker)}`
}

/** 'item 7, ', or '37 items (0 to 35, 40): '. */
function itemWords(alike: Alike): string {
  const [{ item }] = alike
  if (item === null) return ''
  return alike.length === 1
    ? `item ${item}, `
    : `${grouped(alike.length)} items (${rangeWords(alike.map((one) => one.item ?? 0))}): `
}

function rangeWords(items: readonly number[]): string {
  const ranges: { from: number; to: number }[] = []
  for (const item of items.toSorted((left, right) => left - right)) {
    const last = ranges.at(-1)
    if (last?.to === item - 1) last.to = item
    else ranges.push({ from: item, to: item })
  }
  const told = ranges
    .slice(0, rangesTold)
    .map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`))
  return [...told, ...(ranges.length > rangesTold ? ['…'] : [])].join(', ')
}

/** A time of each of them: one where it is the same in words, else from the shortest to the longest. */
function span(alike: Alike, msOf: (attempt: AccountAttempt) => number): string {
  const all = alike.map(msOf)
  const [shortest, longest] = [durationWords(Math.min(...all)), durationWords(Math.max(...all))]
  return shortest === longest ? shortest : `${shortest} to ${longest}`
}

/** Below this a wait before the attempt is not worth a word, unless it was for a limit. */
const waitMsTold = 100

function waitWords(account: RunAccount, alike: Alike): string {
  const limit = limitWords(account, alike[0])
  if (limit === '' && waitedMs(account, alike[0]) < waitMsTold) return ''
  return `, having waited ${span(alike, (attempt) => waitedMs(account, attempt))}${limit}`
}

/** ' on NAME (process number)', shorter where the name says as much. */
export function workerWords(worker: AccountWorker | null): string {
  if (worker === null) return ''
  const name = oneLine(worker.name)
  if (worker.kind === 'outside') return ` by ${name} (outside)`
  const isTold = worker.process_id === null || name.includes(String(worker.process_id))
  return isTold ? ` on ${name}` : ` on ${name} (${worker.process_id})`
}

function retryOf(attempt: AccountAttempt): '' | 'released' | 'none' | 'at once' | 'later' {
  if (attempt.outcome === 'released') return 'released'
  if (attempt.outcome !== 'failed' && attempt.outcome !== 'reclaimed') return ''
  if (attempt.retry_at === null) return 'none'
  return retryDelayMs(attempt) <= 0 ? 'at once' : 'later'
}

function retryDelayMs({ finished_at, retry_at }: AccountAttempt): number {
  return retry_at === null ? 0 : msBetween(finished_at, retry_at)
}

function retryWords(account: RunAccount, alike: Alike): string {
  const [first] = alike
  const isOne = alike.length === 1
  const next = isOne ? 'the next attempt' : 'the next attempt of each'
  const held = first.outcome === 'failed' && first.reason !== null ? `: ${oneLine(first.reason)}` : ''
  switch (retryOf(first)) {
    case '':
      return ''
    case 'released':
      return `${isOne ? 'it was' : 'they were'} ready again at once, and no failure was counted`
    case 'none':
      return `no further attempt${held}`
    case 'at once':
      return `${next} was ready at once`
    case 'later': {
      const later = `${next} ${span(alike, retryDelayMs)} later`
      return `${later}${isOne ? `, at ${clockOf(account.run.created_at, first.retry_at ?? '')}` : ''}${held}`
    }
  }
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
