// Looks whether completed firings did what was expected of them, as the worker's role and without writing anything.
import type pg from 'pg'
import { judgeOutput, judgeQuery, type Look, notAsked } from '../core/expectation.ts'
import type { Caller } from '../db/call.ts'
import { sqlState } from '../db/database-error.ts'
import { askExpectation, type DueVerification, takeVerifications, verifyFiring } from '../db/expectations.ts'
import type { TriggerTask } from './trigger-work.ts'

export interface VerificationRoom {
  /** For short transactions that write. */
  readonly caller: Caller
  /** The connections of handlers, with their rights. */
  readonly handlerPool: pg.Pool
}

const query_timeout_ms = 10_000
const batch = 4
/** Longer than all queries of a batch may take, one after the other. */
const lease_seconds = 60

export function verificationTask(room: VerificationRoom): TriggerTask {
  return async () => {
    const due = await takeVerifications(room.caller, { leaseSeconds: lease_seconds, limit: batch })
    for (const firing of due) {
      const { isMet, found } = await lookAt(firing, room.handlerPool)
      // An output doesn't change any more.
      const isFinal = 'output' in firing.expect
      await verifyFiring(room.caller, firing, { isMet, found, isFinal })
    }
    return due.length === batch
  }
}

async function lookAt(firing: DueVerification, pool: pg.Pool): Promise<Look> {
  const { expect } = firing
  if ('output' in expect) return judgeOutput(expect, firing.output)
  const client = await pool.connect()
  let broken = true
  try {
    const answer = await askExpectation(client, expect, firing, query_timeout_ms)
    broken = false
    return judgeQuery(expect, answer)
  } catch (error) {
    const state = sqlState(error)
    // The connection was lost: nothing is known of the query, and whoever comes next asks it.
    if (state === undefined) throw error
    broken = false
    return notAsked(state, (error as Error).message)
  } finally {
    client.release(broken)
  }
}
