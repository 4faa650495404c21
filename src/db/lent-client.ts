// The client that a handler is lent for one transaction: it can't end the transaction, and is worth nothing afterwards.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { heard } from '../core/heard.ts'

export interface LentClient {
  readonly client: pg.PoolClient
  /** From now on every statement is refused: the connection may be somebody else's already. */
  takeBack(): void
}

/** Statements that would end the transaction, and its effects with it. Savepoints are the handler's own business. */
const transactionControl =
  /^\s*(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b/i

/** Lends a client. Libraries that wrap it find all of it but the power to end the transaction or the connection. */
export function lendClient(client: pg.PoolClient): LentClient {
  let taken = false
  const query = (...given: unknown[]): unknown => {
    const refusal = taken
      ? tooLate()
      : transactionControl.test(textOf(given[0]))
        ? notYours(textOf(given[0]))
        : undefined
    if (refusal === undefined) return heard(Reflect.apply(client.query, client, given))
    const callback = given.find((argument) => typeof argument === 'function')
    if (callback === undefined) return heard(Promise.reject(refusal))
    ;(callback as (error: Error) => void)(refusal)
    return undefined
  }
  const nothing = () => {}
  const lent: pg.PoolClient = Object.create(client, {
    query: { value: query },
    release: { value: nothing },
    end: { value: () => Promise.resolve() },
  })
  return {
    client: lent,
    takeBack: () => {
      taken = true
    },
  }
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query
  const text: unknown = typeof query === 'object' && query !== null ? Reflect.get(query, 'text') : undefined
  return typeof text === 'string' ? text : ''
}

function notYours(text: string): MillraceError {
  return new MillraceError(
    'transaction_misused',
    `A tx step can't run '${text.trim().slice(0, 40)}': its worker ends the transaction.`,
    {
      hint: 'Use a savepoint, or throw to roll everything back.',
    },
  )
}

function tooLate(): MillraceError {
  return new MillraceError(
    'transaction_misused',
    'A statement came after its tx step had ended; it was not run.',
    {
      hint: 'Await every statement before the handler returns.',
    },
  )
}

/** The handler ended the transaction behind a statement's back. */
export function endedEarly(step: string): MillraceError {
  return new MillraceError(
    'transaction_misused',
    `The handler of tx step '${step}' ended its transaction by itself: what it wrote before that is not exactly once.`,
    { fields: { step }, hint: 'Leave begin, commit and rollback to the worker; use savepoints inside.' },
  )
}
