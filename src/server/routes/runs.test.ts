// Runs over HTTP: started, listed page by page, and cancelled by whoever may.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { pipeline } from '../../sdk/pipeline.ts'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { newId, runOf, sweep as sweepWorkers } from '../../../test/protocol.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const sweep = pipeline('api-sweep').step('search', () => 1)
const greeting = pipeline('api-greeting', {
  input: z.object({ name: z.string().min(1).default('Ada') }),
}).step('greet', ({ input }) => input.name)

test('a run is started, listed and cancelled in the name of whoever asks', async () => {
  await opened.client().start(sweep, null)
  const { ask } = await openApi()
  const ann = { name: 'ann@example.org', role: 'operator' } as const

  const started = await ask(ann, 'POST', '/runs', { pipeline: 'api-sweep', input: { state: 'TX' } })
  expect(started).toMatchObject({ status: 201, body: { created: true } })
  const cancelled = await ask(ann, 'POST', `/runs/${started.body.run.id}/cancel`, { reason: 'enough' })
  expect(cancelled).toMatchObject({ status: 200, body: { changed: true } })
  const listed = await ask(ann, 'GET', '/runs?limit=1')
  expect(listed.body.items).toMatchObject([{ id: started.body.run.id, state: 'cancelled' }])
  const next = await ask(ann, 'GET', `/runs?limit=1&cursor=${listed.body.next}`)
  expect(next.body).toMatchObject({ items: [{ state: 'pending' }], next: null })

  const [run] = await database.query<{ started_by: string }>(
    'select started_by from millrace.run where id = $1',
    [started.body.run.id],
  )
  expect(run?.started_by).toMatch(/^ann@example\.org via /)
  const [event] = await database.query<{ actor: string }>(
    `select actor from millrace.event where run_id = $1 and kind = 'run.cancelled'`,
    [started.body.run.id],
  )
  expect(event?.actor).toMatch(/^ann@example\.org via /)
})

test('an id in capital letters is that of the same run', async () => {
  await opened.client().start(sweep, null)
  const { ask } = await openApi()
  const run = newId()
  const again = { pipeline: 'api-sweep', run: run.toUpperCase() }
  expect(await ask({}, 'POST', '/runs', again)).toMatchObject({ status: 201, body: { run: { id: run } } })
  expect(await ask({}, 'POST', `/runs/${run.toUpperCase()}/cancel`, {})).toMatchObject({ status: 200 })
  const listed = await ask({}, 'GET', `/runs/${run.toUpperCase()}`)
  expect(listed).toMatchObject({ status: 200, body: { id: run, state: 'cancelled' } })
})

test('PP-S7 a run id that is none is refused by the name of its field, and one of another tenant is as unknown as none', async () => {
  const { ask } = await openApi()
  expect(await ask({}, 'POST', '/runs/1;drop/cancel', {})).toMatchObject({
    status: 400,
    body: { code: 'request_invalid', fields: { problem: expect.stringContaining('run:') } },
  })
  const { body } = await ask({}, 'POST', '/runs', { pipeline: 'api-sweep', tenant: 'a' })
  const foreign = await ask({ tenant: 'b', kind: 'key' }, 'POST', `/runs/${body.run.id}/cancel`, {})
  expect(foreign).toMatchObject({ status: 404, body: { code: 'not_found' } })
  expect(await ask(null, 'GET', '/runs')).toMatchObject({ status: 401 })
  expect(await ask({ role: 'viewer' }, 'POST', `/runs/${body.run.id}/cancel`, {})).toMatchObject({
    status: 403,
  })
})

test('an id under which a run of another tenant lies is no start of one’s own, and gives that run no deadline', async () => {
  await opened.client().start(sweep, null)
  await database.clock.freeze()
  const { ask } = await openApi()
  const start = { pipeline: 'api-sweep', input: { state: 'TX' } }
  const { body } = await ask({}, 'POST', '/runs', { ...start, tenant: 'b' })
  const run = body.run.id
  const taken = { status: 409, body: { code: 'idempotency_conflict' } }

  const bound = { name: 'of a', tenant: 'a', kind: 'key' } as const
  const ensured = { ...start, run, silence_seconds: 1 }
  expect(await ask(bound, 'POST', '/runs/ensure', ensured)).toMatchObject(taken)
  expect(await ask(bound, 'POST', '/runs', { ...start, run })).toMatchObject(taken)
  expect(await ask({}, 'POST', '/runs', { ...start, run, tenant: 'a' })).toMatchObject(taken)
  expect(await ask({}, 'POST', '/runs', { ...start, run })).toMatchObject(taken)
  // A wrong guess at its input is told apart from a right one by nothing.
  const guessed = await ask(bound, 'POST', '/runs', { ...start, run, input: { state: 'NM' } })
  const right = await ask(bound, 'POST', '/runs', { ...start, run })
  const { correlation_id: _, ...answer } = right.body
  expect(guessed.body).toMatchObject(answer)
  // Of its own tenant it is the same start. But workers have it at hand: of that nothing is heard here.
  expect(await ask({ tenant: 'b', kind: 'key' }, 'POST', '/runs/ensure', ensured)).toMatchObject({
    body: { created: true, run: { id: run } },
  })

  expect(await database.query('select run_id from millrace.run_deadline')).toEqual([])
  await database.clock.advance('2 seconds')
  await sweepWorkers(database)
  expect((await runOf(database, run)).state).toBe('pending')
})

test('an input that does not fit the schema of the server’s own pipeline starts nothing, and none takes its defaults', async () => {
  await opened.client().start(greeting, {})
  const { ask } = await openApi({ pipelines: [greeting] })
  const refused = { status: 422, body: { code: 'input_invalid', detail: expect.stringContaining('name:') } }
  const of = (input?: unknown) => ({ pipeline: 'api-greeting', ...(input === undefined ? {} : { input }) })
  expect(await ask({}, 'POST', '/runs', of({ name: '' }))).toMatchObject(refused)
  const many = { pipeline: 'api-greeting', inputs: [{ name: 'Bob' }, { name: '' }] }
  expect(await ask({}, 'POST', '/runs/many', many)).toMatchObject(refused)
  const started = await ask({}, 'POST', '/runs', of())
  const { body } = await ask({}, 'GET', `/runs/${started.body.run.id}`)
  expect(body.input).toEqual({ name: 'Ada' })
  const again = { input: { name: '' } }
  for (const [verb, more] of [
    ['redrive', {}],
    ['rerun', {}],
    ['fork', { step: 'greet' }],
  ] as const)
    expect(
      await ask({}, 'POST', `/runs/${started.body.run.id}/${verb}`, { ...again, ...more }),
    ).toMatchObject(refused)
  expect((await ask({}, 'GET', '/runs?pipeline=api-greeting')).body.items).toHaveLength(2)
})

test('an encrypted pipeline is started by its name alone: nothing of the input lies in the clear but what its key needs, and without a key it is refused', async () => {
  const sealed = pipeline('api-sealed', {
    input: z.object({ firm: z.string(), name: z.string() }),
    key: 'firm',
    encrypt: { clear: ['firm'] },
  }).step('greet', ({ input }) => `hello ${input.name}`)
  const ring = { k1: randomBytes(32).toString('base64') }
  await opened.worker({ pipelines: [sealed], encryptionKeys: ring })
  const { ask } = await openApi({ encryptionKeys: ring })
  const start = { pipeline: 'api-sealed', input: { firm: 'acme', name: 'Ada Lovelace' } }
  const started = await ask({}, 'POST', '/runs', start, { 'idempotency-key': 'sealed-1' })
  expect(started).toMatchObject({ status: 201, body: { created: true } })
  expect(await ask({}, 'POST', '/runs', start, { 'idempotency-key': 'sealed-1' })).toMatchObject({
    body: { created: false, reason: 'repeated', run: started.body.run },
  })
  const client = opened.client({ encryptionKeys: ring })
  expect(await client.run(started.body.run.id).result()).toBe('hello Ada Lovelace')
  const many = await ask({}, 'POST', '/runs/many', {
    pipeline: 'api-sealed',
    inputs: [{ firm: 'bolt', name: 'Ada Lovelace' }],
  })
  expect(many).toMatchObject({ status: 201, body: { starts: [{ created: true }] } })
  expect(await client.run(many.body.starts[0].run.id).result()).toBe('hello Ada Lovelace')
  const stored = await database.query<{ input: object; key: string; via: string }>(
    `select input, key, started_via as via from millrace.run where slug = 'api-sealed' order by id`,
  )
  expect(stored.map(({ key, via }) => [key, via])).toEqual([
    ['acme', 'http'],
    ['bolt', 'http'],
  ])
  expect(JSON.stringify(stored)).not.toContain('Lovelace')
  const account = await ask({}, 'GET', `/runs/${started.body.run.id}`)
  expect(account.body).toMatchObject({ started_via: 'http' })
  const without = await openApi()
  expect(await without.ask({}, 'POST', '/runs', start)).toMatchObject({
    status: 422,
    body: { code: 'encryption_required' },
  })
})

test('a start by name is encrypted as the version that it gets: one that is activated meanwhile changes nothing, and no split mixes clear with encrypted', async () => {
  const input = z.object({ name: z.string() })
  const clear = pipeline('api-mixed', { input }).step('greet', ({ input }) => `clear: ${input.name}`)
  const sealed = pipeline('api-mixed', { input, encrypt: true }).step(
    'greet',
    ({ input }) => `sealed: ${input.name}`,
  )
  const other = pipeline('api-mixed', { input, encrypt: true }).step(
    'welcome',
    ({ input }) => `other: ${input.name}`,
  )
  const encryptionKeys = { k1: randomBytes(32).toString('base64') }
  for (const version of [clear, sealed, other]) await opened.worker({ pipelines: [version], encryptionKeys })
  const client = opened.client({ encryptionKeys })
  const { ask } = await openApi({ encryptionKeys })
  const given = async (name: string) => {
    const { body } = await ask({}, 'POST', '/runs', { pipeline: 'api-mixed', input: { name } })
    return String(await client.run(body.run.id).result())
  }
  await expect(client.splitPipeline('api-mixed', { 1: 50, 2: 50 })).rejects.toMatchObject({
    code: 'encryption_required',
  })
  await client.activatePipeline('api-mixed', 2)
  expect(await given('Ada')).toBe('sealed: Ada')
  await client.activatePipeline('api-mixed', 1)
  // Remembered for a second: it gets the version for which it was encrypted.
  expect(await given('Bob')).toMatch(/^(sealed|clear): Bob$/)
  await client.splitPipeline('api-mixed', { 2: 50, 3: 50 })
  const api = await openApi({ encryptionKeys })
  const names = Array.from({ length: 12 }, (_, n) => `n${n}`)
  const { body } = await api.ask({}, 'POST', '/runs/many', {
    pipeline: 'api-mixed',
    inputs: names.map((name) => ({ name })),
  })
  const results = await Promise.all(
    body.starts.map(({ run }: { run: { id: string } }) => client.run(run.id).result()),
  )
  expect(results.map((result: string) => result.replace(/^(sealed|other): /, ''))).toEqual(names)
})

test('an output of more than 8 MiB is left out of a run, and refused as a result with the way to read it, waited for or not', async () => {
  const { ask } = await openApi()
  const wide = pipeline('api-wide', { input: z.object({ items: z.number() }) })
    .step('list', ({ input }) => Array.from({ length: input.items }, (_, n) => n))
    .map('each', { over: 'list' }, () => 'x'.repeat(900_000))
  const client = opened.client()
  await opened.worker({ pipelines: [wide] })
  for (const [items, isLarge] of [
    [9, false],
    [10, true],
  ] as const) {
    const { run } = await client.start(wide, { items })
    const waited = await ask({}, 'GET', `/runs/${run!.id}/result?wait_seconds=30`)
    expect([waited.status, waited.body.code]).toEqual(isLarge ? [409, 'output_too_large'] : [200, undefined])
    expect(await client.run(run!.id).ended()).toBe('completed')
    const shown = await ask({}, 'GET', `/runs/${run!.id}`)
    expect(shown.body.output_left_out).toBe(isLarge ? true : undefined)
    expect(shown.body.output === null).toBe(isLarge)
    const page = await ask({}, 'GET', `/runs/${run!.id}/outputs?limit=5`)
    expect(page.body.items.map((one: { output: string }) => one.output.length)).toEqual(
      Array(5).fill(900_000),
    )
  }
})
