// Transactions: what is tried again, what is not, and what a swallowed error becomes.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../test/empty-database.ts'
import { inPoolTransaction, inTransaction, retryTransaction } from './transaction.ts'

let database: EmptyDatabase
let client: Awaited<ReturnType<EmptyDatabase['connect']>>

beforeAll(async () => {
  database = await createEmptyDatabase()
  client = await database.connect()
})
afterAll(() => database.close())

const fail = (state: string) =>
  inTransaction(client, () =>
    client.query(`do $$ begin raise exception 'no' using errcode = '${state}'; end $$`),
  )

async function countTries(state: string, attempts: number): Promise<{ tries: number; waits: number[] }> {
  const waits: number[] = []
  let tries = 0
  const transaction = () => {
    tries++
    return fail(state)
  }
  const options = { attempts, delayMs: 100, random: () => 0.5, wait: async (ms: number) => waits.push(ms) }
  await expect(retryTransaction(transaction, options)).rejects.toMatchObject({ code: state })
  return { tries, waits }
}

describe('a transaction that failed', () => {
  test.each(['40001', '40P01'])('B10 is tried again after %s, with doubled delays', async (state) => {
    expect(await countTries(state, 4)).toEqual({ tries: 4, waits: [100, 200, 400] })
  })

  test.each(['57014', '55P03', '23505', '57P01'])('B10 is not tried again after %s', async (state) => {
    expect(await countTries(state, 4)).toEqual({ tries: 1, waits: [] })
  })

  test('B10 a statement that ran out of time is not tried again', async () => {
    let tries = 0
    const slow = () =>
      inTransaction(client, async () => {
        tries++
        await client.query('set local statement_timeout = 10')
        await client.query('select pg_sleep(5)')
      })
    await expect(retryTransaction(slow)).rejects.toMatchObject({ code: '57014' })
    expect(tries).toBe(1)
  })

  test('answers with the result once a try succeeds', async () => {
    let tries = 0
    const transaction = async () => (++tries < 3 ? fail('40001') : 'done')
    expect(await retryTransaction(transaction, { wait: async () => {} })).toBe('done')
  })

  test('leaves nothing behind', async () => {
    const work = inTransaction(client, async () => {
      await client.query('create table half (n int)')
      throw new Error('stop')
    })
    await expect(work).rejects.toThrow('stop')
    expect(await database.query(`select to_regclass('half') as half`)).toEqual([{ half: null }])
  })

  test('is not taken for committed when its work swallowed the error', async () => {
    const work = inTransaction(client, () => client.query('select 1 / 0').catch(() => 'swallowed'))
    await expect(work).rejects.toMatchObject({ code: 'transaction_lost' })
  })
})

describe('a connection of a pool', () => {
  const backend = 'select pg_backend_pid() as backend'

  /** What becomes of the only connection of a pool: the one that failed, and the one that somebody gets afterwards. */
  async function afterFailure(work: (one: pg.PoolClient) => Promise<unknown>, begin?: string) {
    const pool = new pg.Pool({ connectionString: database.url, max: 1 })
    pool.on('error', () => {})
    try {
      const before = (await pool.query(backend)).rows
      await expect(inPoolTransaction(pool, 'a test database', work, begin)).rejects.toThrow()
      return { before, after: (await pool.query(backend)).rows }
    } finally {
      await pool.end()
    }
  }

  test('is good for the next one where what its transaction begins with was refused', async () => {
    const begin = `begin isolation level read committed; select set_config('role', 'nobody_of_that_name', true)`
    const { before, after } = await afterFailure(() => Promise.resolve(), begin)
    expect(after).toEqual(before)
  })

  test('is given up where its transaction could not be rolled back', async () => {
    const { before, after } = await afterFailure(async (one) => {
      vi.spyOn(one, 'query').mockImplementationOnce(() => {
        throw new Error('no answer')
      })
      throw new Error('stop')
    })
    expect(after).not.toEqual(before)
  })
})
