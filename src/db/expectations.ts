// The firings whose expectation is to be looked at, and the queries that say whether it is met: read-only, bounded in time, with nobody's rights but the connection's.
import pg from 'pg'
import type { QueryAnswer, StoredExpectation } from '../core/expectation.ts'
import type { Caller } from './call.ts'
import type { DeclaredQuery } from './plans.ts'
import { retryTransaction } from './transaction.ts'

export interface DueVerification {
  readonly id: string
  readonly slot_at: Date
  readonly run_id: string
  /** As it is stored; null where the run's history is gone. */
  readonly output: unknown
  readonly expect: StoredExpectation
  /** As text: it is handed back as it came, and a Date has no microseconds. */
  readonly taken_until: string
}

/** Firings of which it is to be seen now whether what they are expected to have done is so; the caller's until the lease has passed. */
export function takeVerifications(
  caller: Caller,
  { leaseSeconds, limit }: { readonly leaseSeconds: number; readonly limit: number },
): Promise<DueVerification[]> {
  return retryTransaction(() =>
    caller.call<DueVerification>(
      {
        name: 'millrace_take_verifications',
        text: `select id::text as id, slot_at, run_id, output, expect, verify_at::text as taken_until
          from millrace.take_verifications($1, $2)`,
      },
      [leaseSeconds, limit],
    ),
  )
}

export interface Verification {
  readonly isMet: boolean
  readonly found: Readonly<Record<string, unknown>>
  /** It can't change any more: not met now is unverified. */
  readonly isFinal: boolean
}

/** What a look came to. Answers the firing's state; null where somebody else has it. */
export async function verifyFiring(
  caller: Caller,
  firing: Pick<DueVerification, 'id' | 'taken_until'>,
  { isMet, found, isFinal }: Verification,
): Promise<'completed' | 'verified' | 'unverified' | null> {
  const rows = await retryTransaction(() =>
    caller.call<{ state: 'completed' | 'verified' | 'unverified' | null }>(
      {
        name: 'millrace_verify_firing',
        text: 'select millrace.verify_firing($1::bigint, $2::timestamptz, $3, $4::jsonb, $5) as state',
      },
      [firing.id, firing.taken_until, isMet, JSON.stringify(found), isFinal],
    ),
  )
  return rows[0]!.state
}

type ExpectedQuery = Extract<StoredExpectation, { query: string }>

/** As the server is given it: rows are only counted, as far as they are asked for, and of an answer no more than two are fetched. */
export function expectationQuery(name: string, { query, rows }: ExpectedQuery): DeclaredQuery {
  return {
    name,
    text: query.trim().replace(/;$/, ''),
    parameters: '(timestamptz, uuid, jsonb)',
    frame:
      rows === undefined
        ? ['(select * from (', '\n) as expected limit 2)']
        : ['(select count(*)::int from (select from (', `\n) as expected limit ${rows}) as counted)`],
  }
}

const boolean_type = 16

/** Asks an expectation's query about a firing, in a transaction that only reads and leaves nothing behind. Throws what the server says of it. */
export async function askExpectation(
  client: pg.ClientBase,
  expect: ExpectedQuery,
  firing: Pick<DueVerification, 'slot_at' | 'run_id' | 'output'>,
  timeoutMs: number,
): Promise<QueryAnswer> {
  await client.query('begin isolation level repeatable read read only')
  try {
    await client.query("select set_config('statement_timeout', $1, true)", [String(timeoutMs)])
    await client.query('savepoint asked')
    await prepareExpected(client, expectationQuery('', expect))
    try {
      return await executeExpected(client, firing)
    } finally {
      // A prepared statement outlives its transaction, and behind a pooler it would meet the next one.
      await client.query('rollback to asked').catch(() => {})
      await client.query('deallocate millrace_expected').catch(() => {})
    }
  } finally {
    await client.query('rollback').catch(() => {})
  }
}

/** Prepared by name, so that the parameters have types whichever of them are used. */
async function prepareExpected(client: pg.ClientBase, query: DeclaredQuery): Promise<void> {
  const { text, parameters = '', frame: [before, after] = ['', ''] } = query
  await client.query({
    text: `prepare millrace_expected${parameters} as ${before}${text}${after}`,
    values: [],
    // It takes one statement and no more: nothing behind a semicolon is ever run.
    queryMode: 'extended',
  } as pg.QueryConfig)
}

async function executeExpected(
  client: pg.ClientBase,
  { slot_at, run_id, output }: Pick<DueVerification, 'slot_at' | 'run_id' | 'output'>,
): Promise<QueryAnswer> {
  const document = output === null ? 'null' : pg.escapeLiteral(JSON.stringify(output))
  const { rows, fields } = await client.query<unknown[]>({
    text: `execute millrace_expected('${slot_at.toISOString()}', '${run_id}', ${document})`,
    rowMode: 'array',
  })
  return { rows, isBoolean: fields[0]?.dataTypeID === boolean_type }
}
