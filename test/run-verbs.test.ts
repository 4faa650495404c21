// What people and programs do to runs over HTTP: each verb answers as on every other floor, and leaves payloads out for those who may not see them.
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { apiOn } from './api.ts'
import { until } from './deadline.ts'
import { openMillrace } from './millrace.ts'
import { operationList } from '../src/api/catalogue.ts'
import { startsMax } from '../src/api/runs.ts'
import { poolCaller } from '../src/db/call.ts'
import { registerPipeline } from '../src/db/pipelines.ts'
import { pipeline } from '../src/sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)

const keyed = pipeline('verbs-keyed')
  .step('first', ({ input }) => input)
  .step('second', () => 2)
const failing = pipeline('verbs-failing', { retry: { attempts: 1 } }).step('break', ({ input }) => {
  throw Object.assign(new Error(`no luck with ${JSON.stringify(input)}`), { code: 'no_luck' })
})
const mapped = pipeline('verbs-mapped')
  .step('list', () => ['one', 'two'])
  .map('each', { over: 'list' }, ({ item }) => item)
const asking = pipeline('verbs-asking')
  .approval('release', { people: ['ann@example.org'] })
  .step('go', () => 'gone')

beforeAll(async () => {
  const caller = poolCaller(database.pool, { prepare: false, database: 'test' })
  for (const one of [keyed, failing, mapped, asking]) await registerPipeline(caller, one.slug, one.graph)
})

const ann = { name: 'ann@example.org', role: 'operator' } as const

test('a run is shown, its account told, and what it waits for, to whoever may read it', async () => {
  const { ask } = await openApi()
  const { body: started } = await ask(ann, 'POST', '/runs', {
    pipeline: 'verbs-keyed',
    input: { state: 'TX' },
    headers: { source: 'import' },
  })
  const path = `/runs/${started.run.id}`
  expect((await ask(ann, 'GET', path)).body).toMatchObject({
    state: 'pending',
    input: { state: 'TX' },
    output: null,
    headers: { source: 'import' },
    priority: 5,
  })
  expect((await ask(ann, 'GET', `${path}/account`)).body).toMatchObject({
    run: { id: started.run.id, pipeline: 'verbs-keyed' },
    steps: [{ step: 'first' }, { step: 'second' }],
  })
  expect((await ask(ann, 'GET', `${path}/why?step=second`)).body).toMatchObject({
    reason: 'needs_steps',
    step: 'second',
  })
  expect((await ask(ann, 'GET', `${path}/progress`)).body).toMatchObject({ done: 0, known: 2, percent: 0 })
  expect((await ask(ann, 'GET', `${path}/result`)).body).toMatchObject({ ended: false, state: 'pending' })
})

test('payloads are left out for those without the right to them, and the answer says so', async () => {
  const { ask } = await openApi()
  const blind = { role: 'viewer', payloads: false } as const
  const { body: started } = await ask(ann, 'POST', '/runs', {
    pipeline: 'verbs-keyed',
    input: { secret: 'hush' },
    headers: { note: 'hush' },
  })
  for (const path of ['', '/account', '/progress', '/result', '/lineage']) {
    const { status, body } = await ask(blind, 'GET', `/runs/${started.run.id}${path}`)
    expect({ path, status, hidden: body.payloads_hidden }).toEqual({ path, status: 200, hidden: true })
    expect(JSON.stringify(body)).not.toContain('hush')
  }
})

test('a result is waited for, and comes when the run ends', async () => {
  const { ask } = await openApi()
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-keyed', input: 7 })
  const result = ask(ann, 'GET', `/runs/${started.run.id}/result?wait_seconds=60`)
  await opened.worker({ pipelines: [keyed] })
  expect((await result).body).toEqual({ ended: true, state: 'completed', output: 2, error: null })
  const { body } = await ask(ann, 'GET', `/runs/${started.run.id}/outputs`)
  expect(body).toEqual({
    items: [
      { step: 'first', item: null, outcome: 'completed', output: 7 },
      { step: 'second', item: null, outcome: 'completed', output: 2 },
    ],
    next: null,
  })
})

test('what a large map gave comes item by item, in pages that end at their bytes, and each output once', async () => {
  const large = pipeline('verbs-large', { retry: { attempts: 1 } })
    .step('list', () => Array.from({ length: 11 }, (_, n) => n))
    .map('fill', { over: 'list', failAfter: 1 }, ({ item }) => {
      if (item === 2) throw new Error('no luck')
      return String(item % 10).repeat(900_000)
    })
    .step('last', () => 'done')
  const { ask } = await openApi()
  await opened.worker({ pipelines: [large] })
  const { run } = await opened.client().start(large, null)
  await opened.client().run(run!.id).result()
  const pages: string[][] = []
  for (let cursor = ''; ; ) {
    const { body } = await ask(ann, 'GET', `/runs/${run!.id}/outputs?limit=11${cursor}`)
    pages.push(
      body.items.map(
        ({ step, item, outcome, output }: Record<string, unknown>) =>
          `${String(step)} ${String(item)} ${String(outcome)} ${JSON.stringify(output).slice(0, 2)}`,
      ),
    )
    if (body.next === null) break
    cursor = `&cursor=${body.next}`
  }
  const filled = (n: number) => `fill ${n} ${n === 2 ? 'failed nu' : `completed "${n % 10}`}`
  expect(pages).toEqual([
    Array.from({ length: 10 }, (_, n) => filled(n)),
    [filled(10), 'last null completed "d', 'list null completed [0'],
  ])
})

test('outputs of a run that there is not are none, and a cursor that no page gave is refused before the database sees it', async () => {
  const { ask } = await openApi()
  expect(await ask(ann, 'GET', '/runs/01980000-0000-7000-8000-000000000000/outputs')).toMatchObject({
    status: 404,
    body: { code: 'run_unknown' },
  })
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-keyed', input: 8 })
  const outputs = `/runs/${started.run.id}/outputs`
  expect(await ask(ann, 'GET', outputs)).toMatchObject({ status: 200, body: { items: [], next: null } })
  for (const place of [3e9, -3e9, 1.5, null]) {
    const cursor = Buffer.from(JSON.stringify(['fill', place])).toString('base64url')
    expect((await ask(ann, 'GET', `${outputs}?cursor=${cursor}`)).status).toBe(400)
  }
})

test('JQ-10 a change that was decided on an older revision is refused with the present one', async () => {
  const { ask } = await openApi()
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-keyed' })
  const path = `/runs/${started.run.id}`
  const seen = { 'if-match': '"0"' }
  expect(await ask(ann, 'POST', `${path}/pause`, { reason: 'wait' }, seen)).toMatchObject({
    body: { changed: true },
  })
  const stale = await ask({ ...ann, name: 'bob@example.org' }, 'POST', `${path}/cancel`, {}, seen)
  expect(stale).toMatchObject({ status: 409, body: { code: 'revision_conflict' } })
  expect(stale.body.fields.present).toMatchObject({
    revision: 1,
    state: 'pending',
    paused_at: expect.any(String),
  })
  expect(stale.body.fields.present).not.toHaveProperty('input')
  expect((await ask(ann, 'POST', `${path}/resume`, {}, { 'if-match': '"1"' })).body).toEqual({
    changed: true,
  })
  expect((await ask(ann, 'POST', `${path}/prioritize`, { priority: 1 })).body).toEqual({ changed: true })
  expect((await ask(ann, 'GET', path)).body).toMatchObject({ priority: 1, revision: 3, paused_at: null })
})

test('JQ-10 a stale change is told the present state also where it came with an idempotency key', async () => {
  const { ask } = await openApi()
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-keyed' })
  const headers = { 'if-match': '"5"', 'idempotency-key': `stale ${started.run.id}` }
  expect(await ask(ann, 'POST', `/runs/${started.run.id}/cancel`, {}, headers)).toMatchObject({
    status: 409,
    body: { code: 'revision_conflict', fields: { present: { revision: 0 } } },
  })
})

test('PP-S12 a filter that is not among those of a list is refused, and so is a value of another type', async () => {
  const { ask } = await openApi()
  const wrong = [
    '/runs?sort=name',
    '/runs?state=done',
    '/runs?limit=0',
    '/runs?limit=10000',
    '/runs?pipeline=A%20B',
    '/runs?state=failed&state=completed',
    '/runs?cursor=%27%3B',
    '/runs?cursor=WyJ4Il0',
    '/runs/events?key=1',
    '/dead-letters?since=yesterday',
    '/dead-letters/groups?since=yesterday',
    '/approvals?run=1',
    '/redrives?state=closed',
  ]
  for (const path of wrong) {
    const { status, body } = await ask(ann, 'GET', path)
    expect({ path, status, code: body.code }).toEqual({ path, status: 400, code: 'request_invalid' })
  }
})

test('PP-S16 what is refused is said to be: 403 without the role or scope, 404 for what is another tenant’s', async () => {
  const { ask } = await openApi()
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-keyed', tenant: 'a' })
  const path = `/runs/${started.run.id}`
  const scoped = { kind: 'key', role: 'operator', scopes: ['signals:send'] } as const
  expect(await ask(scoped, 'GET', '/runs')).toMatchObject({ status: 403, body: { code: 'not_allowed' } })
  expect(await ask({ role: 'viewer' }, 'POST', `${path}/pause`, {})).toMatchObject({ status: 403 })
  const foreign = { kind: 'key', tenant: 'b' } as const
  for (const [method, at, body] of [
    ['GET', path],
    ['GET', `${path}/account`],
    ['GET', `${path}/result`],
    ['GET', `${path}/artifacts`],
    ['POST', `${path}/cancel`, {}],
    ['POST', `${path}/signals`, { name: 'go' }],
    ['POST', `${path}/steps/first/start`, {}],
  ] as const)
    expect(await ask(foreign, method, at, body)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  expect(await ask(foreign, 'GET', '/runs?tenant=a')).toMatchObject({ status: 403 })
  expect(await ask({ kind: 'key', pipelines: ['other'] }, 'GET', path)).toMatchObject({ status: 404 })
})

test('PP-S8 a list that is too long starts nothing, and one that is not is started as a whole or not at all', async () => {
  const { ask } = await openApi()
  const count = async () =>
    (
      await database.query<{ runs: number }>(
        'select count(*)::int as runs from millrace.run where slug = $1',
        ['verbs-keyed'],
      )
    )[0]!.runs
  const before = await count()
  const inputs = Array.from({ length: startsMax + 1 }, (_, n) => n)
  expect(await ask(ann, 'POST', '/runs/many', { pipeline: 'verbs-keyed', inputs })).toMatchObject({
    status: 413,
  })
  expect(
    await ask(ann, 'POST', '/runs/many', { pipeline: 'verbs-keyed', inputs: [1, 'a\u0000b'] }),
  ).toMatchObject({ status: 422, body: { code: 'json_invalid' } })
  expect(await count()).toBe(before)
  const many = await ask(ann, 'POST', '/runs/many', { pipeline: 'verbs-keyed', inputs: inputs.slice(1) })
  expect(many.status).toBe(201)
  expect(many.body.starts).toHaveLength(startsMax)
  expect(await count()).toBe(before + startsMax)
})

test('PP-S8 each list that a request may hold has a maximum', () => {
  const unbounded = operationList.flatMap(({ name, body, query }) =>
    [body, query].flatMap((schema) =>
      schema === undefined
        ? []
        : listsOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })).map(
            (at) => `${name}${at}`,
          ),
    ),
  )
  expect(unbounded).toEqual([])
})

/** Where in a schema a list has no maximum. */
function listsOf(schema: unknown, at = ''): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { type, maxItems } = schema as { type?: unknown; maxItems?: unknown }
  const here = type === 'array' && maxItems === undefined ? [at] : []
  return [...here, ...Object.entries(schema).flatMap(([name, part]) => listsOf(part, `${at}.${name}`))]
}

test('a header in which the server says who starts a run is taken from nobody else', async () => {
  const { ask } = await openApi()
  const forged = { pipeline: 'verbs-keyed', headers: { 'Millrace-Actor': 'somebody else' } }
  for (const path of ['/runs', '/runs/ensure'])
    expect(await ask(ann, 'POST', path, forged)).toMatchObject({
      status: 400,
      body: { code: 'request_invalid' },
    })
})

test('E2 a hundred posts with one idempotency key are one run, and another input is a conflict', async () => {
  const { ask } = await openApi()
  const key = { 'idempotency-key': 'E2' }
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      ask(
        ann,
        'POST',
        '/runs',
        { pipeline: 'verbs-keyed', input: { n: n % 10 === 9 ? 'other' : 'same' } },
        key,
      ),
    ),
  )
  const runs = new Set(
    answers.flatMap(({ body }) => (body.run === undefined || body.run === null ? [] : [body.run.id])),
  )
  expect(runs.size).toBe(1)
  const refused = answers.filter(({ status }) => status >= 400)
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([409]))
  expect(refused.length).toBeGreaterThanOrEqual(10)
})

test('PP-S19 JQ-21 a failed run shows code and message of its error, and no stack, also where stacks are stored', async () => {
  const { ask } = await openApi()
  await opened.worker({ pipelines: [failing], storeStacks: true })
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-failing', input: 1 })
  const id = started.run.id
  const { body: result } = await ask(ann, 'GET', `/runs/${id}/result?wait_seconds=60`)
  expect(result).toMatchObject({ state: 'failed', error: { code: 'no_luck', message: 'no luck with 1' } })
  for (const path of [
    `/runs/${id}`,
    `/runs/${id}/account`,
    '/dead-letters',
    '/dead-letters/groups',
    '/runs?state=failed',
  ]) {
    const { status, body } = await ask(ann, 'GET', path)
    expect({ path, status }).toEqual({ path, status: 200 })
    expect(JSON.stringify(body)).toContain('no_luck')
    expect(JSON.stringify(body)).not.toContain('"stack"')
  }
  const [stored] = await database.query<{ stack: string }>(
    `select error ->> 'stack' as stack from millrace.attempt where run_id = $1`,
    [id],
  )
  expect(stored?.stack).toContain('no luck')
})

test('dead letters are listed page by page and redriven, each and many', async () => {
  const { ask } = await openApi()
  const worker = await opened.worker({ pipelines: [failing] })
  const { body: many } = await ask(ann, 'POST', '/runs/many', {
    pipeline: 'verbs-failing',
    inputs: [1, 2, 3],
    tenant: 'pages',
  })
  const ids = many.starts.map(({ run }: { run: { id: string } }) => run.id)
  for (const id of ids) await ask(ann, 'GET', `/runs/${id}/result?wait_seconds=60`)
  await worker.stop({ force: true })

  const found: string[] = []
  for (let cursor = ''; ; ) {
    const { body } = await ask(ann, 'GET', `/dead-letters?tenant=pages&limit=1${cursor}`)
    found.push(...body.items.map(({ run }: { run: string }) => run))
    if (body.next === null) break
    cursor = `&cursor=${body.next}`
  }
  expect(found.toSorted()).toEqual(ids.toSorted())

  expect((await ask(ann, 'POST', '/redrives/plan', { filter: { tenant: 'pages' } })).body).toEqual({
    runs: 3,
    refused: {},
  })
  const one = await ask(ann, 'POST', `/runs/${ids[0]}/redrive`, { reason: 'mended' })
  expect(one.body).toEqual({ redriven: true, run: { id: ids[0] } })
  expect((await ask(ann, 'POST', `/runs/${ids[0]}/redrive`, {})).body).toMatchObject({
    redriven: false,
    run: null,
  })
  const rest = await ask(ann, 'POST', '/redrives', { filter: { tenant: 'pages' }, rate: 1 })
  expect(rest).toMatchObject({
    status: 201,
    body: { total: 2, rate: 1, created_by: expect.stringMatching(/^ann@example\.org via/) },
  })
  expect((await ask(ann, 'GET', `/redrives/${rest.body.id}/runs`)).body.items).toHaveLength(2)
  expect((await ask(ann, 'POST', `/redrives/${rest.body.id}/abort`, {})).body).toEqual({ changed: true })
  expect((await ask(ann, 'GET', '/redrives?limit=1')).body.items).toMatchObject([
    { id: rest.body.id, state: 'aborted' },
  ])

  // A key of another tenant knows of none of them.
  const foreign = { tenant: 'other', kind: 'key' } as const
  expect((await ask(foreign, 'GET', '/dead-letters')).body.items).toEqual([])
  expect((await ask(foreign, 'GET', '/redrives')).body.items).toEqual([])
  expect(await ask(foreign, 'GET', `/redrives/${rest.body.id}`)).toMatchObject({ status: 404 })
  expect(await ask(foreign, 'GET', '/dead-letters?tenant=pages')).toMatchObject({ status: 403 })
})

test('a run is forked and done again, and its lineage tells so', async () => {
  const { ask } = await openApi()
  await opened.worker({ pipelines: [keyed] })
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-keyed', input: 1 })
  const path = `/runs/${started.run.id}`
  await ask(ann, 'GET', `${path}/result?wait_seconds=60`)
  const forked = await ask(ann, 'POST', `${path}/fork`, { step: 'second' })
  const again = await ask(ann, 'POST', `${path}/rerun`, { input: 2 })
  expect([forked.body.created, again.body.created]).toEqual([true, true])
  const { body } = await ask(ann, 'GET', `${path}/lineage`)
  expect(body.into.map(({ run }: { run: string }) => run).toSorted()).toEqual(
    [forked.body.run.id, again.body.run.id].toSorted(),
  )
  const { body: of } = await ask(ann, 'GET', `/runs/${again.body.run.id}/lineage`)
  expect(of.of).toMatchObject({ run: started.run.id, kind: 'rerun', difference: [{ before: 1, after: 2 }] })
  const blind = await ask({ payloads: false }, 'GET', `/runs/${again.body.run.id}/lineage`)
  expect(blind.body).toMatchObject({ of: { difference: null }, payloads_hidden: true })
})

test('only an admin deletes a run, and a trial counts what would go', async () => {
  const { ask } = await openApi()
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-asking' })
  const path = `/runs/${started.run.id}`
  await ask(ann, 'POST', `${path}/cancel`, {})
  expect(await ask(ann, 'DELETE', path)).toMatchObject({ status: 403 })
  const admin = { role: 'admin' } as const
  expect((await ask(admin, 'DELETE', `${path}?dry_run=true`)).body).toMatchObject({
    deleted: false,
    rows: { run: 1, unsuccessful_run: 1 },
  })
  expect((await ask(admin, 'DELETE', `${path}?reason=asked`)).body).toMatchObject({
    deleted: true,
    rows: { run: 1 },
  })
  expect(await ask(admin, 'GET', path)).toMatchObject({ status: 404, body: { code: 'run_unknown' } })
})

test('a list by time goes on where a page ended, also when the row at its end is gone by then', async () => {
  const { ask } = await openApi()
  const admin = { name: 'root@example.org', role: 'admin' } as const
  const worker = await opened.worker({ pipelines: [asking, failing] })
  const runs: string[] = []
  for (let n = 0; n < 3; n++) {
    const asked = { pipeline: 'verbs-asking', tenant: 'gone' }
    const { body: started } = await ask(ann, 'POST', '/runs', asked)
    const run = started.run.id
    await until(
      'it is asked',
      async () => (await ask(ann, 'GET', `/approvals?run=${run}`)).body.items.length === 1,
    )
    await ask(admin, 'POST', `/runs/${run}/callbacks`, { url: 'https://hooks.example.com/x', secret: 'x' })
    await ask(ann, 'POST', `/runs/${run}/cancel`, {})
    await ask(ann, 'POST', '/redrives', { filter: { tenant: `nobody ${n}` } })
    runs.push(run)
  }
  await worker.stop({ force: true })
  const bound = { kind: 'key', role: 'operator', tenant: 'gone' } as const
  const lists = [
    { who: bound, path: '/approvals?state=all', gone: runs[0]!, of: 'run_id', rest: runs.slice(1) },
    { who: bound, path: '/callbacks?open=true', gone: runs[2]!, of: 'run_id', rest: [runs[1]!] },
  ]
  for (const { who, path, gone, of, rest } of lists) {
    const first = await ask(who, 'GET', `${path}&limit=1`)
    expect(first.body.items).toMatchObject([{ [of]: gone }])
    expect(first.body.items[0]).not.toHaveProperty('position')
    expect((await ask(admin, 'DELETE', `/runs/${gone}`)).status).toBe(200)
    const page = await ask(who, 'GET', `${path}&limit=2&cursor=${first.body.next}`)
    expect(page.body).toMatchObject({ items: rest.map((run) => ({ [of]: run })), next: null })
  }
  const newest = await ask(ann, 'GET', '/redrives?limit=1')
  expect(newest.body.items).toMatchObject([{ filter: { tenant: 'nobody 2' } }])
  await database.query('delete from millrace.redrive where id = $1', [newest.body.items[0].id])
  const next = await ask(ann, 'GET', `/redrives?limit=1&cursor=${newest.body.next}`)
  expect(next.body.items).toMatchObject([{ filter: { tenant: 'nobody 1' } }])
  // As cursors were made before.
  const former = Buffer.from(JSON.stringify([newest.body.items[0].id])).toString('base64url')
  for (const path of ['/approvals', '/callbacks', '/redrives'])
    expect(await ask(ann, 'GET', `${path}?cursor=${former}`)).toMatchObject({
      status: 400,
      body: { code: 'request_invalid' },
    })
})

test('an approval is listed, decided by whom it names, and by nobody else', async () => {
  const { ask } = await openApi()
  await opened.worker({ pipelines: [asking] })
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-asking' })
  const path = await until('it is asked', async () => {
    const { body } = await ask(ann, 'GET', `/approvals?run=${started.run.id}`)
    return body.items.length === 1 && `/approvals/${body.items[0].id}`
  })
  const bob = { name: 'bob@example.org', role: 'admin' } as const
  expect(await ask(bob, 'POST', `${path}/decide`, { decision: 'approve' })).toMatchObject({
    status: 403,
    body: { code: 'approval_forbidden' },
  })
  expect((await ask(ann, 'POST', `${path}/delegate`, { to: 'bob@example.org' })).status).toBe(204)
  expect(
    (await ask(bob, 'POST', `${path}/decide`, { decision: 'approve', comment: 'fine' })).body,
  ).toMatchObject({ state: 'approved' })
  expect((await ask(bob, 'GET', path)).body).toMatchObject({ state: 'approved', approvals: 1 })
  expect((await ask(ann, 'GET', `/runs/${started.run.id}/result?wait_seconds=60`)).body).toMatchObject({
    output: 'gone',
  })
  expect(await ask({ tenant: 'other', kind: 'key' }, 'GET', path)).toMatchObject({
    status: 404,
    body: { code: 'not_found' },
  })
})

test('an executor outside that may not see payloads is not told the item that it takes', async () => {
  const { ask } = await openApi()
  const key = { kind: 'key', name: 'mapper', role: 'operator' } as const
  const { body: ensured } = await ask(key, 'POST', '/runs/ensure', {
    pipeline: 'verbs-mapped',
    silence_seconds: 60,
  })
  const steps = `/runs/${ensured.run.id}/steps`
  const { body: list } = await ask(key, 'POST', `${steps}/list/start`, {})
  await ask(key, 'POST', `${steps}/list/complete`, { attempt: list.attempt, output: ['one', 'two'] })
  const take = async (item: number, payloads: boolean) =>
    (await ask({ ...key, payloads }, 'POST', `${steps}/each/start`, { item })).body
  expect(await take(0, true)).toMatchObject({ started: true, item_value: 'one' })
  expect(await take(1, false)).toMatchObject({ started: true, item_value: null, payloads_hidden: true })
})

test('an executor outside works on a run step by step, and a lost attempt is refused', async () => {
  const { ask } = await openApi()
  const key = { kind: 'key', name: 'importer', role: 'operator' } as const
  const { body: ensured } = await ask(key, 'POST', '/runs/ensure', {
    pipeline: 'verbs-keyed',
    input: 1,
    silence_seconds: 60,
  })
  expect(ensured.created).toBe(true)
  const step = `/runs/${ensured.run.id}/steps/first`
  const { body: held } = await ask(key, 'POST', `${step}/start`, { lease_seconds: 60 })
  expect(held).toMatchObject({ started: true, attempt: 1 })
  expect((await ask(key, 'POST', `${step}/start`, {})).body).toMatchObject({ started: false, reason: 'held' })
  const { attempt } = held
  expect((await ask(key, 'POST', `${step}/heartbeat`, { attempt })).body).toEqual({ wanted: true })
  expect((await ask(key, 'POST', `${step}/log`, { attempt, message: 'half', fields: { n: 1 } })).status).toBe(
    204,
  )
  for (const report of [
    { kind: 'progress', done: 1, total: 2 },
    { kind: 'metadata', patch: { file: 'a' } },
    { kind: 'metric', name: 'rows', value: 3 },
    { kind: 'part', value: 'x', number: 0 },
  ])
    expect((await ask(key, 'POST', `${step}/report`, { attempt, ...report })).status).toBe(204)
  expect((await ask(key, 'POST', `${step}/complete`, { attempt, output: 5 })).body).toEqual({
    recorded: true,
  })
  expect((await ask(key, 'POST', `${step}/complete`, { attempt, output: 5 })).body).toEqual({
    recorded: false,
  })
  expect(await ask(key, 'POST', `${step}/heartbeat`, { attempt: 2 })).toMatchObject({
    status: 409,
    body: { code: 'attempt_lost' },
  })

  const second = `/runs/${ensured.run.id}/steps/second`
  const { body: taken } = await ask(key, 'POST', `${second}/start`, {})
  await ask(key, 'POST', `${second}/release`, { attempt: taken.attempt, reason: 'later' })
  const { body: again } = await ask(key, 'POST', `${second}/start`, {})
  const failed = await ask(key, 'POST', `${second}/fail`, {
    attempt: again.attempt,
    error: { code: 'gone', message: 'no file', retryable: false },
  })
  expect(failed.body).toEqual({ retry_at: null })
  expect((await ask(key, 'POST', `/runs/${ensured.run.id}/complete`, {})).body).toEqual({ state: 'failed' })
  expect((await ask(key, 'GET', `/runs/${ensured.run.id}/progress`)).body).toMatchObject({
    metadata: { file: 'a' },
    parts: 1,
  })
})

test('a signal reaches a run, and one to a name takes a key that is bound to nothing', async () => {
  const { ask } = await openApi()
  const { body: started } = await ask(ann, 'POST', '/runs', { pipeline: 'verbs-keyed', tenant: 'a' })
  const bound = { tenant: 'a', kind: 'key', role: 'operator' } as const
  const sent = await ask(bound, 'POST', `/runs/${started.run.id}/signals`, {
    name: 'go',
    payload: 1,
    idempotency_key: 'once',
  })
  expect(sent.body).toMatchObject({ woke: 0, kept: true })
  const repeated = await ask(bound, 'POST', `/runs/${started.run.id}/signals`, {
    name: 'go',
    payload: 1,
    idempotency_key: 'once',
  })
  expect(repeated.body.id).toBe(sent.body.id)
  expect(await ask(bound, 'POST', '/signals', { name: 'go' })).toMatchObject({ status: 403 })
  expect((await ask(ann, 'POST', '/signals', { name: 'verbs-go' })).body).toMatchObject({ kept: true })
})
