// What the `sql` of a step may do: read; and write where the step says so. What failed there is not taken for nothing.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { openOn, type Opened } from '../../test/millrace.ts'
import { tellAccount } from '../core/account.ts'
import { runAccount } from '../db/accounts.ts'
import { poolCaller } from '../db/call.ts'
import { createPool } from '../db/connection.ts'
import { type PipelineDefinition } from '../sdk/pipeline-definition.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { HandlerSql } from './handler-sql.ts'

let database: TestDatabase
let opened: Opened
beforeAll(async () => {
  database = await createTestDatabase()
  opened = openOn(database)
  await database.query(`
    create table note (text text);
    create function note_down(text) returns void language sql as 'insert into note values ($1)'`)
})
afterEach(async () => {
  await opened.close()
  await database.query('truncate note')
})
afterAll(() => database.close())

const retry = { attempts: 2, initial: 0, jitter: 'none' } as const
const notes = () => database.query('select text from note')

/** Runs it once, and gives the run as it ended. */
async function runOnce(wanted: PipelineDefinition) {
  await opened.worker({ pipelines: [wanted] })
  const client = opened.client()
  const { run } = await client.start(wanted, null)
  await client
    .run(run!.id)
    .result()
    .catch(() => {})
  const [row] = await database.query<{
    state: string
    error: { code?: string; message?: string } | null
    tries: number
  }>(
    'select state, error, (select count(*)::int from millrace.attempt where run_id = id) as tries from millrace.run where id = $1',
    [run!.id],
  )
  const caller = poolCaller(database.pool, { prepare: false, database: 'test' })
  return { ...row!, account: tellAccount(await runAccount(caller, run!.id)).replace(/\s+/g, ' ') }
}

describe('PP-C12 a step that writes without saying so fails for good, and nothing is written:', () => {
  const hidden: ReadonlyArray<readonly [string, PipelineDefinition]> = [
    [
      'by a statement',
      pipeline('hidden-statement', { retry }).step(
        'generate',
        ({ sql }) => sql`insert into note values ('x')`,
      ),
    ],
    [
      'behind a select',
      pipeline('hidden-function', { retry }).step('generate', ({ sql }) => sql`select note_down('x')`),
    ],
    [
      'in the condition of a step that may',
      pipeline('hidden-condition', { retry })
        .step('list', () => 1)
        .step('store', { tx: true, when: writingCondition }, () => 2),
    ],
  ]
  test.each(hidden)('%s', async (_, wanted) => {
    expect(await runOnce(wanted)).toMatchObject({ state: 'failed', error: { code: 'write_undeclared' } })
    expect(await notes()).toEqual([])
  })
})

/** The types give a condition no `sql`; the worker does not tell them apart. */
function writingCondition(context: object): boolean {
  const { sql } = context as { sql: (text: TemplateStringsArray) => Promise<unknown> }
  return sql`insert into note values ('x')` as unknown as boolean
}

test('PP-C12 a step that says that it writes does so, and one that is marked tx', async () => {
  const open = pipeline('open', { retry })
    .step('mark', { writes: true }, ({ sql }) => sql`insert into note values ('mark')`)
    .step('read', ({ sql }) => sql`select text from note`)
    .step('store', { tx: true }, async ({ sql }) => void (await sql`insert into note values ('store')`))
  expect(await runOnce(open)).toMatchObject({ state: 'completed' })
  expect(await notes()).toEqual([{ text: 'mark' }, { text: 'store' }])
})

test('PP-C12 behind a pooler, where connections have no default of ours, a step that only reads writes nothing either', async () => {
  const handlerPool = createPool({ connectionString: database.url, connectionsMax: 1 })
  const handlers = poolCaller(handlerPool, { prepare: false, database: 'test' })
  const sql = new HandlerSql({
    handlers,
    writes: handlers,
    handlerPool,
    pooled: true,
    database: 'test',
  } as never)
  const reading = { step: { name: 'read', handler: { writes: false } } } as never
  const writing = { step: { name: 'write', handler: { writes: true } } } as never
  const text = (source: string) => [source] as unknown as TemplateStringsArray
  await expect(sql.run(reading, text(`insert into note values ('x')`), [])).rejects.toMatchObject({
    code: 'write_undeclared',
  })
  await sql.run(writing, text(`insert into note values ('y')`), [])
  expect(await sql.run(reading, text('select text from note'), [])).toEqual([{ text: 'y' }])
  await handlerPool.end()
})

test('PP-C9 a count that failed and was read as zero stands in the account of the step that went on', async () => {
  const blind = pipeline('blind', { retry }).step('count', async ({ sql }) => {
    const rows = await sql<{ n: number }>`select count(*)::int as n from no_such_table`.catch(() => [])
    return rows[0]?.n ?? 0
  })
  const { state, account } = await runOnce(blind)
  expect(state).toBe('completed')
  expect(account).toContain(
    'A query failed, and the step completed all the same: relation "no_such_table" does not exist',
  )
})

test('PP-C9 a check in a transaction does not pass where one of its queries failed, whatever its handler made of that', async () => {
  const checked = pipeline('checked', { retry })
    .step('write', { tx: true }, async ({ sql }) => void (await sql`insert into note values ('one')`))
    .step('verify', { tx: true }, async ({ sql }) => {
      const wrong = await sql<{ n: number }>`select count(*)::int as n from note where no_such_column`
        .then((rows) => rows[0]!.n)
        .catch(() => 0)
      if (wrong > 0) throw new Error('There are wrong notes.')
      return 'verified'
    })
  expect(await runOnce(checked)).toMatchObject({
    state: 'failed',
    error: { code: 'transaction_lost', step: 'verify' },
    tries: 3,
  })
})
