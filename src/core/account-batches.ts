// The story of the batch in which an attempt was given to its handler: with how many others, and of which runs some of them are.
import type { AccountAttempt, AccountEvent, RunAccount } from './account-data.ts'
import { grouped } from './wording.ts'

/** Whether an entry of the history says that tasks were claimed together: it is told with their attempts. */
export function isBatch({ kind }: AccountEvent): boolean {
  return kind === 'step.batched'
}

/** ', in a batch of 37', or nothing where it was alone. */
export function batchWords(account: RunAccount, attempt: AccountAttempt): string {
  const size = sizeOf(account, attempt)
  return size < 2 ? '' : `, in a batch of ${grouped(size)}`
}

/** 'with it: run …, run … and 34 others', where other runs of the same tenant were in the batch of a step. */
export function companyWords(account: RunAccount, attempt: AccountAttempt): string {
  const found = batchOf(account, attempt)
  const runs = found?.detail['with']
  if (attempt.item !== null || !Array.isArray(runs) || runs.length === 0) return ''
  const others = sizeOf(account, attempt) - 1 - runs.length
  const named = runs.map((run) => `run ${String(run)}`)
  const all = others > 0 ? [...named, others === 1 ? 'another one' : `${grouped(others)} others`] : named
  return `with it: ${all.slice(0, -1).join(', ')}${all.length > 1 ? ' and ' : ''}${all.at(-1)}`
}

function sizeOf(account: RunAccount, attempt: AccountAttempt): number {
  const size = batchOf(account, attempt)?.detail['size']
  return typeof size === 'number' ? size : 1
}

function batchOf({ events }: RunAccount, { step, item, attempt }: AccountAttempt): AccountEvent | undefined {
  return events.listed.find((event) => {
    if (!isBatch(event) || event.step !== step) return false
    if (item === null) return event.attempt === attempt
    const { items, attempts } = event.detail
    if (!Array.isArray(items) || !Array.isArray(attempts)) return false
    return items.some((one, place) => one === item && attempts[place] === attempt)
  })
}
