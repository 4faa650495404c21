// Watches over HTTP: defined without SQL of the caller, paused and removed on the revision that was seen.
import { beforeAll, expect, test } from 'vitest'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'
import { watchTable } from '../../../test/watched.ts'

const { database } = await openMillrace()
const openApi = apiOn(database)
const ann = { name: 'ann@example.org', role: 'operator' } as const
beforeAll(async () => {
  await registerPipeline(database, 'api-watched', chain('only'))
  await database.query('create table public.api_row (id int primary key, title text)')
  await database.query(`insert into public.api_row values (1, 'a')`)
})

test('a watch is defined, shown, paused, resumed and removed; JQ-10 a stale change is answered with what there is', async () => {
  const { ask } = await openApi()
  const body = { pipeline: 'api-watched', table: 'api_row', operations: ['insert', 'update'] }
  const defined = await ask(ann, 'PUT', '/watches/api-rows', body)
  expect(defined).toMatchObject({ status: 200, body: { revision: 1 } })
  expect((await ask(ann, 'GET', '/watches/api-rows')).body).toMatchObject({
    relation: 'public.api_row',
    runs_started: 0,
    problems: [expect.any(String) as string],
  })
  const seen = { 'if-match': '"1"' }
  expect((await ask(ann, 'POST', '/watches/api-rows/pause', {}, seen)).body).toEqual({ changed: true })
  for (const [method, path, sent] of [
    ['POST', '/watches/api-rows/resume', {}],
    ['DELETE', '/watches/api-rows', undefined],
    ['PUT', '/watches/api-rows', body],
  ] as const)
    expect(await ask(ann, method, path, sent, seen)).toMatchObject({
      status: 409,
      body: {
        fields: { present: { name: 'api-rows', revision: 2, paused_at: expect.any(String) as string } },
      },
    })
  expect((await ask(ann, 'POST', '/watches/api-rows/resume', {})).body).toEqual({ changed: true })
  expect((await ask(ann, 'DELETE', '/watches/api-rows')).body).toEqual({ changed: true })
  expect(await ask(ann, 'GET', '/watches/api-rows')).toMatchObject({ status: 404 })
})

test('a backfill is shown with its watch and aborted, and a watch with triggers on its table stays', async () => {
  await watchTable(database, 'installed', { table: 'api_row', pipeline: 'api-watched' })
  const { ask } = await openApi()
  const [started] = await database.query<{ id: number }>(
    `select millrace.start_backfill('installed', 'true') as id`,
  )
  expect((await ask(ann, 'GET', '/watches/installed')).body.backfills).toMatchObject([
    { id: started!.id, state: 'open', condition: 'true' },
  ])
  expect((await ask(ann, 'POST', `/backfills/${started!.id}/abort`, {})).body).toEqual({ changed: true })
  expect(await ask(ann, 'DELETE', '/watches/installed')).toMatchObject({
    status: 422,
    body: { code: 'watch_invalid' },
  })
})

test('PP-S4 no condition in SQL comes by HTTP; those that stand may stay', async () => {
  const { ask } = await openApi()
  const when = { insert: 'new.id > 0' }
  const body = { pipeline: 'api-watched', table: 'api_row', operations: ['insert'], when }
  expect(await ask({}, 'PUT', '/watches/conditional', body)).toMatchObject({
    status: 422,
    body: { code: 'watch_invalid' },
  })
  const { pipeline, table, operations } = body
  await database.query(`select millrace.define_watch('conditional', $1)`, [
    JSON.stringify({ pipeline, table, operations, when, schema: 'public' }),
  ])
  expect(await ask({}, 'PUT', '/watches/conditional', { ...body, by_key: true })).toMatchObject({
    status: 200,
  })
  const other = { ...body, when: { insert: 'pg_sleep(1) is null' } }
  expect(await ask({}, 'PUT', '/watches/conditional', other)).toMatchObject({ status: 422 })
  // One of the operator's is nobody else's to see, nor may a bound key watch a table of all.
  const acme = { kind: 'key', tenant: 'acme' } as const
  expect(await ask(acme, 'GET', '/watches/conditional')).toMatchObject({ status: 404 })
  expect((await ask(acme, 'GET', '/watches')).body.items).toEqual([])
  expect(await ask(acme, 'PUT', '/watches/mine', { pipeline, table, operations })).toMatchObject({
    status: 403,
  })
})
