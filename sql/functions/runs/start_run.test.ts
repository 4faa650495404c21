// Starts in plain SQL: an argument that can't be right is refused by its name, with what is allowed.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { cancelRun, chain, newId, registerPipeline, startRun } from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await registerPipeline(database, 'plain', chain('only'))
})
afterAll(() => database.close())

const wrong: [string, string, string][] = [
  ['start_run', 'priority => 0', 'priority must be from 1, first, to 9, last, not 0.'],
  ['start_run', 'priority => 10', 'priority must be from 1, first, to 9, last, not 10.'],
  ['start_run', 'priority => 100000', 'priority must be from 1, first, to 9, last, not 100000.'],
  ['start_run', "headers => '[]'", 'headers must be a JSON object, not a JSON array.'],
  ['start_run', "headers => 'null'", 'headers must be a JSON object, not a JSON null.'],
  ['start_run', "tenant => ''", 'tenant must be a text of 1 to 200 characters, not of 0.'],
  ['start_run', "tenant => repeat('x', 201)", 'tenant must be a text of 1 to 200 characters, not of 201.'],
  ['start_run', "idempotency_key => ''", 'idempotency_key must be a text of 1 to 500 characters, not of 0.'],
  [
    'start_run',
    "idempotency_key => repeat('x', 501)",
    'idempotency_key must be a text of 1 to 500 characters, not of 501.',
  ],
  [
    'start_run',
    "idempotency_key => 'k', idempotency_seconds => 0",
    'idempotency_seconds must be from 1 to 31,536,000, not 0.',
  ],
  ['start_run', 'started_via => null', 'started_via must be a text, not null.'],
  ['ensure_run', "headers => '7'", 'headers must be a JSON object, not a JSON number.'],
  ['ensure_run', "tenant => ''", 'tenant must be a text of 1 to 200 characters, not of 0.'],
  ['ensure_run', 'silence_seconds => 0', 'silence_seconds must be from 1 to 31,536,000, not 0.'],
  [
    'ensure_run',
    'silence_seconds => 31536001',
    'silence_seconds must be from 1 to 31,536,000, not 31536001.',
  ],
]

test.each(wrong)(
  'PP-C13 %s with %s is an error that names the argument and what is allowed',
  async (verb, argument, message) => {
    await expect(database.query(`select millrace.${verb}('plain', ${argument})`)).rejects.toMatchObject({
      code: 'MR013',
      message: `The start of 'plain' is refused: ${message}`,
    })
    expect(await database.query('select from millrace.run')).toEqual([])
  },
)

test('PP-C13 an argument that is null is as if it were left out', async () => {
  const [started] = await database.query(
    `select (select priority from millrace.run where id = s.run_id)
       from millrace.start_run('plain', priority => null, headers => null, tenant => null, available_at => null,
                               idempotency_key => 'known', idempotency_seconds => null) s`,
  )
  const [stored] = await database.query('select priority, headers, tenant, started_via from millrace.run')
  expect(started).toBeDefined()
  expect(stored).toEqual({ priority: 5, headers: null, tenant: null, started_via: 'sql' })
})

test('a start that is sent again after its pipeline was paused is answered as it was, and a new one is refused', async () => {
  await registerPipeline(database, 'asked-again', chain('only'))
  const id = newId()
  expect(await startRun(database, 'asked-again', { n: 1 }, { id })).toMatchObject({ created: true })
  await database.query("select millrace.pause_pipeline('asked-again')")
  expect(await startRun(database, 'asked-again', { n: 1 }, { id })).toMatchObject({
    created: true,
    run_id: id,
  })
  expect(await startRun(database, 'asked-again', { n: 1 }, { id: newId() })).toMatchObject({
    created: false,
    reason: 'paused',
  })
  await database.query("select millrace.resume_pipeline('asked-again')")
  await cancelRun(database, id)
})
