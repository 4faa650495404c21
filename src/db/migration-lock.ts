// The lock that lets one migrator work at a time in a database, while the others wait.
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { inTransaction } from './transaction.ts'

export interface WaitOptions {
  /** A draw from [0, 1). */
  random?: () => number
  wait?: (ms: number) => Promise<unknown>
  /** Told once when another migrator holds the lock. */
  onWait?: () => void
}

/** What one migrator at a time holds, in SQL. */
export const MIGRATION_KEY = `hashtextextended('millrace.migrate', 0)`
const POLL_MS = 100

/** Runs `work` in a transaction that holds the lock; commit or rollback gives it back. */
export async function inLockedTransaction<T>(
  client: pg.ClientBase,
  work: () => Promise<T>,
  options: WaitOptions = {},
): Promise<T> {
  const outcome = await pollUntilLocked(options, () =>
    inTransaction(client, async () => {
      const isLocked = await holds(client, tryInTransaction)
      return isLocked ? { value: await work() } : undefined
    }),
  )
  return outcome.value
}

/** Runs `work` outside any transaction under the same lock, held by the session: for direct connections only. */
export async function underSessionLock<T>(
  client: pg.ClientBase,
  work: () => Promise<T>,
  options: WaitOptions = {},
): Promise<T> {
  await pollUntilLocked(options, async () => (await holds(client, tryInSession)) || undefined)
  try {
    return await work()
  } finally {
    await client.query(`select pg_advisory_unlock(${MIGRATION_KEY})`).catch(() => {})
  }
}

// Asks again instead of waiting inside PostgreSQL: a statement that waits there holds a snapshot, and `create
// index concurrently` in the migrator that holds the lock would wait for that snapshot for ever.
async function pollUntilLocked<T>(
  { random = Math.random, wait = sleep, onWait }: WaitOptions,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  for (let isFirst = true; ; isFirst = false) {
    const outcome = await attempt()
    if (outcome !== undefined) return outcome
    if (isFirst) onWait?.()
    await wait(POLL_MS * (0.5 + random()))
  }
}

const tryInTransaction = `select pg_try_advisory_xact_lock(${MIGRATION_KEY}) as held`
const tryInSession = `select pg_try_advisory_lock(${MIGRATION_KEY}) as held`

async function holds(client: pg.ClientBase, query: string): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>(query)
  return rows[0]?.held ?? false
}
