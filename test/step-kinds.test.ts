// Steps whose handler Millrace brings, in pipelines beside others: sleep, signal, approval, call, sql.
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { until } from './deadline.ts'
import { openMillrace } from './millrace.ts'
import { attemptsOf, runOf } from './protocol.ts'
import { pipeline } from '../src/sdk/pipeline.ts'

const { database, opened } = await openMillrace()
beforeAll(async () => {
  await database.query(`create schema app`)
  await database.query(`create table app.total (run text primary key, amount int not null)`)
  await database.query(
    `create function app.add_total(input jsonb) returns jsonb language sql as $$
       insert into app.total values (input ->> 'run', (input ->> 'amount')::int);
       select jsonb_build_object('amount', (input ->> 'amount')::int * 2) $$`,
  )
})

const isWaiting = (id: string) =>
  until(`run ${id} waits`, async () => (await runOf(database, id)).state === 'waiting')

test('a pipeline sleeps, waits for a signal and for an approval, and hands on what came', async () => {
  const release = pipeline('release', { input: z.object({ version: z.number() }) })
    .step('build', ({ input }) => ({ artifact: `v${input.version}` }))
    .sleep('cool-down', '2h')
    .signal('tested', {
      match: ({ input }) => ({ version: input.version }),
      payload: z.object({ version: z.number() }),
    })
    .approval('sign-off', {
      title: ({ steps }) => `Release ${steps.build.artifact}?`,
      data: ({ steps }) => steps.tested.payload,
      roles: ['releaser'],
      form: z.object({ channel: z.enum(['beta', 'stable']) }),
    })
    .step('ship', ({ steps }) => ({
      artifact: steps.build.artifact,
      channel: steps['sign-off'].value?.channel ?? null,
      by: steps['sign-off'].by,
    }))
  const worker = await opened.worker({ pipelines: [release], leaseSeconds: 36_00 })
  const client = opened.client()
  const { run } = await client.start(release, { version: 3 })
  await isWaiting(run!.id)
  await client.signal('tested', { version: 2 }, { run: run!.id })
  await client.signal('tested', { version: 3 }, { run: run!.id })
  await database.clock.advance('121 minutes')
  await worker.tick()
  await until('the approval', async () => (await client.approvals.list({ run: run!.id })).length === 1)
  const [open] = await client.approvals.list({ run: run!.id })
  expect(open).toMatchObject({ step: 'sign-off', title: 'Release v3?', data: { version: 3 } })
  expect(open!.form).toMatchObject({ type: 'object', required: ['channel'] })
  await client.approvals.decide(open!.id, 'approve', {
    actor: 'ann',
    actorRoles: ['releaser'],
    value: { channel: 'beta' },
  })
  expect(await client.run<typeof release>(run!.id).result()).toEqual({
    artifact: 'v3',
    channel: 'beta',
    by: ['ann'],
  })
})

test('a step that sleeps until a date takes it from what came before', async () => {
  const until2031 = pipeline('until-a-date')
    .step('when', () => ({ at: '2031-01-01T00:00:00Z' }))
    .sleep('wait', { until: ({ steps }) => steps.when.at })
  await database.clock.freeze('2030-12-31T23:00:00Z')
  const worker = await opened.worker({ pipelines: [until2031], leaseSeconds: 3_600 })
  const client = opened.client({ now: () => Date.parse('2030-12-31T23:00:00Z') })
  const { run } = await client.start(until2031, null)
  await isWaiting(run!.id)
  await database.clock.advance('59 minutes')
  await worker.tick()
  expect((await runOf(database, run!.id)).state).toBe('waiting')
  await database.clock.advance('2 minutes')
  await worker.tick()
  expect(await client.run(run!.id).result()).toBe(null)
})

test('a rejection fails the step, skips it, or goes on as output; so does an approval that expires', async () => {
  const asking = (
    slug: string,
    options: { rejected?: 'skip' | 'continue'; otherwise?: 'skip' | 'approve' },
  ) =>
    pipeline(slug)
      .approval('ask', { expires: '1d', ...options })
      .step('after', ({ steps }) => steps.ask?.state ?? 'skipped')
  const strict = asking('strict', {})
  const lenient = asking('lenient', { rejected: 'skip', otherwise: 'skip' })
  const open = asking('open', { rejected: 'continue', otherwise: 'approve' })
  const worker = await opened.worker({ pipelines: [strict, lenient, open], leaseSeconds: 3_600 })
  const client = opened.client()
  const outcomeOf = async (one: typeof strict, reject: boolean) => {
    const { run } = await client.start(one, null)
    await isWaiting(run!.id)
    const [asked] = await client.approvals.list({ run: run!.id })
    if (reject) await client.approvals.decide(asked!.id, 'reject', { actor: 'ann', comment: 'too early' })
    else {
      await database.clock.advance('25 hours')
      await worker.tick()
    }
    await until('its end', async () => (await runOf(database, run!.id)).finished_at !== null)
    await database.clock.reset()
    return client
      .run<typeof strict>(run!.id)
      .result()
      .catch((error: { fields: { error: { code: string } } }) => error.fields.error.code)
  }
  expect(await outcomeOf(strict, true)).toBe('approval_rejected')
  expect(await outcomeOf(lenient, true)).toBe('skipped')
  expect(await outcomeOf(open, true)).toBe('rejected')
  expect(await outcomeOf(strict, false)).toBe('approval_expired')
  expect(await outcomeOf(lenient, false)).toBe('skipped')
  expect(await outcomeOf(open, false)).toBe('approved')
})

test('a call is a step: its input comes from those before it, its output goes to those after it', async () => {
  const square = pipeline('square', { input: z.number() }).step('work', ({ input }) => input * input)
  const calling = pipeline('calling', { input: z.number() })
    .step('double', ({ input }) => input * 2)
    .call('square', { pipeline: square, input: ({ steps }) => steps.double })
    .step('tell', ({ steps }) => steps.square + 1)
  await opened.worker({ pipelines: [square, calling] })
  const client = opened.client()
  const { run } = await client.start(calling, 3)
  expect(await client.run<typeof calling>(run!.id).result()).toBe(37)
  const children = await database.query(
    'select parent_run_id, parent_step from millrace.run where slug = $1',
    ['square'],
  )
  expect(children).toEqual([{ parent_run_id: run!.id, parent_step: 'square' }])
})

test('an sql step runs its function once, in the transaction of the step; a schema that is not allowed is refused at the start', async () => {
  const totals = pipeline('totals', { input: z.object({ amount: z.number() }), retry: { attempts: 1 } })
    .sql('add', {
      function: 'app.add_total',
      input: ({ input, run }) => ({ run: run.id, amount: input.amount }),
      output: z.object({ amount: z.number() }),
    })
    .step('tell', ({ steps }) => steps.add.amount)
  await expect(opened.worker({ pipelines: [totals] })).rejects.toMatchObject({ code: 'sql_schema_refused' })
  await opened.worker({ pipelines: [totals], sqlSchemas: ['app'] })
  const client = opened.client()
  const { run } = await client.start(totals, { amount: 21 })
  expect(await client.run<typeof totals>(run!.id).result()).toBe(42)
  expect(await database.query('select amount from app.total where run = $1', [run!.id])).toEqual([
    { amount: 21 },
  ])
  const [attempt] = await attemptsOf(database, run!.id, 'add')
  expect(attempt).toMatchObject({ outcome: 'completed', attempt: 1 })
})

test('a chain goes through the steps that Millrace brings: nothing is claimed between two that do not wait', async () => {
  const chained = pipeline('chained')
    .step('one', () => 1)
    .sql('two', { function: 'app.nothing' })
    .step('three', ({ steps }) => steps.two)
  await database.query(
    `create function app.nothing(input jsonb) returns jsonb language sql as 'select input'`,
  )
  await opened.worker({ pipelines: [chained], sqlSchemas: ['app'] })
  const client = opened.client()
  const { run } = await client.start(chained, null)
  expect(await client.run(run!.id).result()).toBe(null)
  const claimed = await database.query<{ wait: number }>(
    'select extract(epoch from started_at - ready_at)::float8 as wait from millrace.attempt where run_id = $1 order by finished_at',
    [run!.id],
  )
  expect(claimed.slice(1).map(({ wait }) => wait)).toEqual([0, 0])
})
