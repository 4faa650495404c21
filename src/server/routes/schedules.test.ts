// Schedules over HTTP: defined, shown, steered, fired by hand, and never with a query of the caller.
import pg from 'pg'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { chain, registerPipeline } from '../../../test/protocol.ts'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database } = await openMillrace()
const openApi = apiOn(database)
const ann = { name: 'ann@example.org', role: 'operator' } as const
await registerPipeline(database, 'digest', chain('only'))
await registerPipeline(database, 'other', chain('only'))

test('a schedule is defined, shown, paused, resumed, triggered, filled in and removed', async () => {
  const { ask } = await openApi()
  const path = '/schedules/reports%2Fmorning'
  const body = { pipeline: 'digest', cron: '0 7 * * 1-5', timezone: 'Europe/Berlin', input: { of: 1 } }
  expect(await ask(ann, 'PUT', path, body)).toMatchObject({ status: 200, body: { revision: 1 } })
  const shown = await ask(ann, 'GET', path)
  expect(shown.body).toMatchObject({
    name: 'reports/morning',
    source: 'operator',
    input: { of: 1 },
    last: null,
  })
  expect(shown.body.changed_by).toMatch(/^ann@example\.org via /)
  expect((await ask({ payloads: false }, 'GET', path)).body).toMatchObject({
    input: null,
    payloads_hidden: true,
  })
  expect((await ask(ann, 'GET', `${path}/next?count=3`)).body.items).toHaveLength(3)
  expect((await ask(ann, 'POST', `${path}/pause`, { reason: 'a holiday' })).body).toEqual({ changed: true })
  const triggered = await ask(ann, 'POST', `${path}/trigger`, { input: { of: 2 } })
  expect(triggered.body).toMatchObject({ state: 'started', run_id: expect.any(String) as string })
  expect((await ask(ann, 'POST', `${path}/resume`, {})).body).toEqual({ changed: true })
  const from = new Date(Date.now() - 14 * 86_400_000).toISOString()
  const filled = await ask(ann, 'POST', `${path}/backfill`, { from })
  expect(filled.body).toMatchObject({ queued: expect.any(Number) as number, fired_before: 0 })
  const first = await ask(ann, 'GET', `${path}/firings?limit=2`)
  expect(first.body.items).toHaveLength(2)
  const second = await ask(ann, 'GET', `${path}/firings?limit=2&cursor=${first.body.next}`)
  expect(second.body.items[0].id).toBeLessThan(first.body.items[1].id)
  expect((await ask(ann, 'GET', '/schedules')).body.items).toMatchObject([{ last: { kind: 'backfill' } }])
  expect((await ask(ann, 'DELETE', path)).body).toEqual({ changed: true })
  expect(await ask(ann, 'GET', path)).toMatchObject({ status: 404, body: { code: 'schedule_unknown' } })
})

test('an input is held against the schema of the pipeline that the server has, as that of a start is', async () => {
  const counted = pipeline('counted', { input: z.object({ account: z.number() }) }).step('only', () => null)
  await registerPipeline(database, 'counted', chain('only'))
  const { ask } = await openApi({ pipelines: [counted] })
  const refused = {
    status: 422,
    body: { code: 'input_invalid', detail: expect.stringContaining('account:') },
  }
  const define = (input?: unknown) =>
    ask(ann, 'PUT', '/schedules/counting', { pipeline: 'counted', every_ms: 60_000, input })
  expect(await define({ account: 'x' })).toMatchObject(refused)
  expect(await define()).toMatchObject(refused)
  expect(await define({ account: 7 })).toMatchObject({ status: 200 })
  const trigger = (input: unknown) => ask(ann, 'POST', '/schedules/counting/trigger', { input })
  expect(await trigger({ account: 'x' })).toMatchObject(refused)
  expect(await trigger({ account: 8 })).toMatchObject({ status: 200, body: { state: 'started' } })
})

test('JQ-10 a schedule that somebody else has changed is left alone, and shown as it is now', async () => {
  const { ask } = await openApi()
  const body = { pipeline: 'digest', every_ms: 60_000 }
  expect(await ask(ann, 'PUT', '/schedules/shared', body, { 'if-match': '"0"' })).toMatchObject({
    status: 200,
  })
  await ask(ann, 'POST', '/schedules/shared/pause', { reason: 'first' }, { 'if-match': '"1"' })
  for (const [method, path, sent] of [
    ['PUT', '/schedules/shared', { ...body, every_ms: 1_000 }],
    ['POST', '/schedules/shared/resume', {}],
    ['DELETE', '/schedules/shared', undefined],
  ] as const)
    expect(await ask(ann, method, path, sent, { 'if-match': '"1"' })).toMatchObject({
      status: 409,
      body: {
        code: 'revision_conflict',
        fields: { present: { revision: 2, pause_reason: 'first', every_ms: 60_000 } },
      },
    })
})

test('PP-S4 no query comes by HTTP, where workers would run it; the one that stands may stay', async () => {
  const { ask } = await openApi()
  const expected = { query: 'select true' }
  const body = { pipeline: 'digest', every_ms: 60_000, expect: expected }
  expect(await ask({}, 'PUT', '/schedules/expecting', body)).toMatchObject({
    status: 422,
    body: { code: 'schedule_invalid' },
  })
  await database.query(`select millrace.define_schedule('expecting', 'digest', $1)`, [
    JSON.stringify({ every_ms: 60_000, expect: expected }),
  ])
  expect(await ask({}, 'PUT', '/schedules/expecting', { ...body, every_ms: 90_000 })).toMatchObject({
    status: 200,
  })
  const another = { ...body, expect: { query: 'select pg_sleep(1) is not null' } }
  expect(await ask({}, 'PUT', '/schedules/expecting', another)).toMatchObject({ status: 422 })
  const output = { ...body, expect: { output: ['rows'], at_least: 1 } }
  expect(await ask({}, 'PUT', '/schedules/expecting', output)).toMatchObject({ status: 200 })
})

test('what can not be read or goes together with nothing is refused by the field that is wrong', async () => {
  const { ask } = await openApi()
  for (const [sent, said] of [
    [
      { pipeline: 'digest', cron: '0 25 * * *' },
      { status: 422, body: { code: 'schedule_invalid' } },
    ],
    [{ pipeline: 'digest' }, { status: 422, body: { code: 'schedule_invalid' } }],
    [{ pipeline: 'digest', every_ms: 1 }, { status: 400 }],
    [{ pipeline: 'digest', every_ms: 60_000, never: 1 }, { status: 400 }],
    [
      { pipeline: 'nothing', every_ms: 60_000 },
      { status: 404, body: { code: 'pipeline_unknown' } },
    ],
    [{ pipeline: 'digest', every_ms: 60_000, ping_url: 'x:y' }, { status: 422 }],
  ] as const)
    expect(await ask(ann, 'PUT', '/schedules/bad', sent)).toMatchObject(said)
  expect(await ask(ann, 'GET', '/schedules?name=bad')).toMatchObject({ status: 400 })
})

test('a key of one tenant defines its own schedules, and none of others', async () => {
  const { ask } = await openApi()
  const acme = { kind: 'key', role: 'operator', tenant: 'acme' } as const
  const body = { pipeline: 'digest', every_ms: 60_000 }
  expect(await ask(acme, 'PUT', '/schedules/acme-own', body)).toMatchObject({ status: 200 })
  expect((await ask(acme, 'GET', '/schedules/acme-own')).body).toMatchObject({ tenant: 'acme' })
  expect(await ask(acme, 'PUT', '/schedules/acme-2', { ...body, tenant: 'other' })).toMatchObject({
    status: 403,
  })
  expect(await ask(acme, 'PUT', '/schedules/acme-2', { ...body, ping_secret: 'pings/other' })).toMatchObject({
    status: 403,
  })
  await ask(ann, 'PUT', '/schedules/others', { ...body, tenant: 'other' })
  for (const removed of [false, true]) {
    if (removed) await ask(ann, 'DELETE', '/schedules/others')
    expect(await ask(acme, 'PUT', '/schedules/others', body)).toMatchObject({ status: 404 })
    expect(await ask(acme, 'GET', '/schedules/others/firings')).toMatchObject({ status: 404 })
    expect(await ask(acme, 'POST', '/schedules/others/trigger', {})).toMatchObject({ status: 404 })
  }
  const bound = { kind: 'key', role: 'operator', pipelines: ['other'] } as const
  expect(await ask(bound, 'PUT', '/schedules/acme-own', { ...body, pipeline: 'other' })).toMatchObject({
    status: 404,
  })
  expect(await ask(bound, 'PUT', '/schedules/bound', body)).toMatchObject({ status: 404 })
  expect((await ask(acme, 'GET', '/schedules')).body.items).toMatchObject([{ name: 'acme-own' }])
  expect((await ask(bound, 'GET', '/schedules')).body.items).toEqual([])
})

/** Once a statement of this name has been answered, and before anybody hears of it, something else happens; once. */
function rightAfter(name: string, happens: () => Promise<unknown>): void {
  const query = pg.Client.prototype.query
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
    this: pg.Client,
    ...given: unknown[]
  ) {
    const [first] = given
    const answered = given.at(-1)
    if (typeof first === 'object' && first !== null && Reflect.get(first, 'name') === name) {
      spy.mockRestore()
      given[given.length - 1] = (...answer: unknown[]) =>
        void happens().then(() => (answered as (...answer: unknown[]) => void)(...answer))
    }
    return Reflect.apply(query, this, given) as never
  } as never)
}

test('JQ-10 a name that another tenant takes while a bound key defines it is neither changed nor shown, whatever revision was told', async () => {
  const { ask } = await openApi()
  const acme = { name: 'of acme', kind: 'key', role: 'operator', tenant: 'acme' } as const
  const body = { pipeline: 'digest', every_ms: 60_000 }
  for (const [n, headers] of [{ 'if-match': '"1"' }, { 'if-match': '"7"' }, {}].entries()) {
    const path = `/schedules/taken-${n}`
    rightAfter('millrace_owner_schedule', () =>
      database.query(`select millrace.define_schedule($1, 'digest', $2)`, [
        `taken-${n}`,
        JSON.stringify({ every_ms: 90_000, tenant: 'other' }),
      ]),
    )
    const refused = await ask(acme, 'PUT', path, body, headers)
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'revision_conflict', fields: { present: null } },
    })
    expect((await ask(ann, 'GET', path)).body).toMatchObject({
      tenant: 'other',
      every_ms: 90_000,
      revision: 1,
    })
  }
  // What is theirs is shown to them, as it is now.
  await ask(acme, 'PUT', '/schedules/acme-kept', body)
  const stale = await ask(acme, 'PUT', '/schedules/acme-kept', body, { 'if-match': '"5"' })
  expect(stale).toMatchObject({ status: 409, body: { fields: { seen: 5, present: { revision: 1 } } } })
  const taken = await ask(acme, 'PUT', '/schedules/acme-kept', body, { 'if-match': '"1"' })
  expect(taken).toMatchObject({ status: 200 })
})
