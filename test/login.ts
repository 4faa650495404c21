// A login of a test's own, whose password, limits and settings the test may change while somebody uses it.
import { randomBytes } from 'node:crypto'
import type { TestDatabase } from './database.ts'

export interface Login {
  /** The address of the test's database under this login, with the password that it had first. */
  readonly url: string
  /** What `alter role` can say of it: `password 'other'`, `connection limit 0`, `set …`. */
  alter(change: string): Promise<void>
  /** Ends all its connections, so that what was altered holds for whoever comes back. */
  cutOff(): Promise<void>
  /** Drops it, and ends its connections. */
  close(): Promise<void>
}

/** A new login that is a member of this role. */
export async function createLogin(database: TestDatabase, memberOf: string): Promise<Login> {
  const name = `login_${randomBytes(6).toString('hex')}`
  await database.query(`create role ${name} login password 'first' in role ${memberOf}`)
  const url = new URL(database.url)
  url.username = name
  url.password = 'first'
  const cutOff = async () => {
    await database.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1', [
      name,
    ])
  }
  return {
    url: url.href,
    alter: async (change) => {
      await database.query(`alter role ${name} ${change}`)
    },
    cutOff,
    close: async () => {
      await database.query(`alter role ${name} nologin`)
      await cutOff()
      await database.query(`drop role ${name}`)
    },
  }
}
