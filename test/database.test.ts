// The test database: each file has its own, and its clock moves when told.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from './database.ts'

let one: TestDatabase
let other: TestDatabase

beforeAll(async () => {
  one = await createTestDatabase()
  other = await createTestDatabase()
})

afterAll(async () => {
  await one.close()
  await other.close()
})

describe('a test database', () => {
  it('shares nothing with another one', async () => {
    await one.query('create table mine (n integer)')
    expect(await one.query('select count(*)::int as n from mine')).toEqual([{ n: 0 }])
    await expect(other.query('select from mine')).rejects.toThrow('"mine" does not exist')
  })

  it('is gone when it is closed, whoever is connected', async () => {
    const short = await createTestDatabase()
    await short.query('select 1')
    await short.close()
    const name = new URL(short.url).pathname.slice(1)
    expect(await one.query('select from pg_database where datname = $1', [name])).toEqual([])
  })

  it('names who is still connected when it is closed', async () => {
    const short = await createTestDatabase()
    const left = new pg.Client({ connectionString: short.url, application_name: 'forgotten' })
    left.on('error', () => {})
    await left.connect()
    await left.query("select 'the last that it asked'")
    await expect(short.close(100)).rejects.toThrow("- forgotten (idle): select 'the last that it asked'")
    await left.end()
  })
})

describe('its clock', () => {
  it('stands still when it is frozen and moves when it is told', async () => {
    await one.clock.freeze('2030-01-01T00:00:00Z')
    expect(await one.clock.now()).toEqual(new Date('2030-01-01T00:00:00Z'))
    await one.clock.advance(1500)
    await one.clock.advance('2 days')
    expect(await one.clock.now()).toEqual(new Date('2030-01-03T00:00:01.5Z'))
  })

  it('runs on from where it was moved to', async () => {
    await one.clock.reset()
    await one.clock.advance('-1 hour')
    const behind = Date.now() - (await one.clock.now()).getTime()
    expect(behind).toBeGreaterThan(3_590_000)
    expect(behind).toBeLessThan(3_610_000)
    await one.clock.reset()
  })

  it('freezes at the moment it shows', async () => {
    await one.clock.advance('10 years')
    const before = await one.clock.now()
    await one.clock.freeze()
    const frozen = await one.clock.now()
    expect(frozen.getTime() - before.getTime()).toBeLessThan(5000)
    expect(await one.clock.now()).toEqual(frozen)
    await one.clock.reset()
  })

  it('keeps the signature that Millrace has', async () => {
    const rows = await one.query(
      "select provolatile, pg_get_function_result(oid) as result from pg_proc where oid = 'millrace.now()'::regprocedure",
    )
    expect(rows).toEqual([{ provolatile: 's', result: 'timestamp with time zone' }])
  })
})
