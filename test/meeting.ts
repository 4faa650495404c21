// Owns the set-up of tests in which transactions meet half-way: a database, two connections of it, and its invariants at the end.
import { afterAll, expect } from 'vitest'
import { findBrokenInvariants } from './checker.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { type Connection, connect } from './protocol.ts'

export interface Meeting {
  readonly database: TestDatabase
  readonly one: Connection
  readonly other: Connection
}

/** Opened once for each test file; after its tests no invariant may be broken. */
export async function openMeeting(): Promise<Meeting> {
  const database = await createTestDatabase()
  const [one, other] = await Promise.all([connect(database), connect(database)])
  afterAll(async () => {
    expect(await findBrokenInvariants(database)).toEqual([])
    await one.end()
    await other.end()
    await database.close()
  })
  return { database, one, other }
}
