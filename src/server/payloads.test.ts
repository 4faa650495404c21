// What answers leave out beside the payloads themselves: words of errors and sentences that would tell them, or runs of others.
import { expect, test } from 'vitest'
import type { Actor } from '../api/access.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { schedule } from '../sdk/schedule.ts'
import { apiOn } from '../../test/api.ts'
import { until } from '../../test/deadline.ts'
import { eventKinds } from '../../test/event-kinds.ts'
import { Arrival, openMillrace } from '../../test/millrace.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const canary = 'canary-of-a-payload'
const ann: Partial<Actor> = { name: 'ann@example.org', role: 'admin' }
const blind: Partial<Actor> = { name: 'bob@example.org', role: 'operator', payloads: false }

test('an idempotency key that came with another input says where they differ to whoever may see payloads alone', async () => {
  await opened.client().start(
    pipeline('withheld-start').step('only', () => 1),
    null,
  )
  const { ask } = await openApi()
  const start = (who: Partial<Actor>, input: unknown) =>
    ask(who, 'POST', '/runs', { pipeline: 'withheld-start', input }, { 'idempotency-key': 'once' })
  const { body } = await start(ann, { v: canary })
  const seen = await start(ann, { v: 1 })
  expect(seen).toMatchObject({ status: 409, body: { detail: expect.stringContaining(canary) } })
  const hidden = await start(blind, { v: 1 })
  expect(hidden).toMatchObject({
    status: 409,
    body: { code: 'idempotency_conflict', fields: { idempotencyKey: 'once', runId: body.run.id } },
  })
  expect(JSON.stringify(hidden.body)).not.toContain(canary)

  const helper: Partial<Actor> = { kind: 'key', id: 'key-1', name: 'helper', role: 'operator', agent: 'asks' }
  const asked = await start(helper, { v: 1 })
  const path = `/agent-requests/${asked.body.agent_request.id}`
  expect((await ask(ann, 'POST', `${path}/approve`, {})).status).toBe(409)
  expect((await ask(ann, 'GET', path)).body.error.message).toContain(canary)
  const told = await ask(blind, 'GET', path)
  expect(told.body).toMatchObject({ error: { code: 'idempotency_conflict' }, payloads_hidden: true })
  expect(JSON.stringify(told.body)).not.toContain(canary)
})

test('what a step notes beside its progress is told to whoever may see payloads alone', async () => {
  const noting = pipeline('withheld-note').step('only', ({ progress }) => {
    progress(1, 2, canary)
    return 1
  })
  await opened.worker({ pipelines: [noting] })
  const client = opened.client()
  const { run } = await client.start(noting, null)
  await client.run(run!.id).result()
  const { ask } = await openApi()
  for (const verb of ['progress', 'account']) {
    const path = `/runs/${run!.id}/${verb}`
    expect((await ask(ann, 'GET', path)).body.progress).toMatchObject([{ done: 1, total: 2, note: canary }])
    expect((await ask(blind, 'GET', path)).body).toMatchObject({
      progress: [{ done: 1, total: 2, note: null }],
      payloads_hidden: true,
    })
  }
})

test('what a schedule found in an output stands in the account for whoever may see payloads alone', async () => {
  const found = pipeline('withheld-found').step('only', () => ({ mail: canary }))
  const expectation = { output: 'mail', equals: canary }
  await opened.worker({
    pipelines: [found],
    triggers: [schedule('withheld-found', { pipeline: found, every: '1h', expect: expectation })],
  })
  const client = opened.client()
  const { run } = await client.schedules.trigger('withheld-found')
  const { ask } = await openApi()
  const verified = async (who: Partial<Actor>) => {
    const { body } = await ask(who, 'GET', `/runs/${run!.id}/account`)
    return body.events.listed.find(({ kind }: { kind: string }) => kind === 'firing.verified')
  }
  const seen = await until('it is verified', () => verified(ann))
  expect(seen.detail).toMatchObject({ schedule: 'withheld-found', met: true, value: canary })
  const { detail } = await verified(blind)
  expect(detail).toEqual({
    schedule: 'withheld-found',
    firing: seen.detail.firing,
    met: true,
    looks: 1,
    at: seen.detail.at,
  })
})

test('of no kind of event an account tells more than is decided to whoever may not see payloads', async () => {
  const only = pipeline('withheld-events').step('only', () => 1)
  const client = opened.client()
  const { run } = await client.start(only, null)
  const detail = {
    reason: 'why',
    message: canary,
    forgotten: [canary],
    comment: canary,
    rows: canary,
    new: canary,
  }
  for (const kind of eventKinds())
    await database.query(
      `insert into millrace.event (run_id, at, actor, kind, detail) values ($1, millrace.now(), 'ada', $2, $3)`,
      [run!.id, kind, detail],
    )
  const { ask } = await openApi()
  const account = async (who: Partial<Actor>) => (await ask(who, 'GET', `/runs/${run!.id}/account`)).body
  const [all, told] = [await account(ann), await account(blind)]
  expect(all.events.listed).toHaveLength(eventKinds().length)
  expect(told.events.listed).toHaveLength(eventKinds().length)
  expect(told.payloads_hidden).toBe(true)
  expect(JSON.stringify(told)).toContain('why')
  expect(JSON.stringify(told)).not.toContain(canary)
})

test('K1 why a run waits names no run of another tenant to a key of its own', async () => {
  const release = new Arrival()
  const held = pipeline('withheld-why').step('go', async () => {
    await release.come
    return 1
  })
  await opened.worker({ pipelines: [held], slots: 2 })
  const { ask } = await openApi()
  const limit = { settings: { kind: 'concurrency', capacity: 1 }, targets: [{ slug: 'withheld-why' }] }
  expect((await ask(ann, 'PUT', '/limits/withheld', limit)).status).toBe(200)
  const client = opened.client()
  const { run: first } = await client.start(held, null, { tenant: 'b' })
  await until('it runs', async () => (await ask(ann, 'GET', `/runs/${first!.id}`)).body.state === 'running')
  const { run: second } = await client.start(held, null, { tenant: 'a' })
  const path = `/runs/${second!.id}/why`
  await until('it waits', async () => /limit/.test((await ask(ann, 'GET', path)).body.sentence))
  expect((await ask(ann, 'GET', path)).body.sentence).toContain(`'go' of run ${first!.id}`)
  for (const bound of [{ tenant: 'a' }, { run: second!.id }]) {
    const { body } = await ask({ kind: 'key', role: 'viewer', ...bound }, 'GET', path)
    expect(body.sentence).toContain('in use: by another run')
    expect(body.sentence).not.toContain(first!.id)
  }
  release.arrive()
})

test('K1 why a run waits for its turn names no key of another tenant to a key of its own', async () => {
  const release = new Arrival()
  const taking = pipeline('withheld-turns').step('go', async () => {
    await release.come
    return 1
  })
  await opened.worker({ pipelines: [taking], slots: 1 })
  const { ask } = await openApi()
  const rule = { settings: { kind: 'fairness', key: [['$tenant']] }, targets: [{ slug: 'withheld-turns' }] }
  expect(await ask(ann, 'PUT', '/limits/withheld-turns', rule)).toMatchObject({ status: 200 })
  const client = opened.client()
  const start = async (tenant: string) => (await client.start(taking, null, { tenant })).run!.id
  const first = await start('own')
  await until('it runs', async () => (await ask(ann, 'GET', `/runs/${first}`)).body.state === 'running')
  await start("others' own")
  await start('others')
  const waiting = await start('own')
  const path = `/runs/${waiting}/why`
  const { body: seen } = await ask(ann, 'GET', path)
  expect(seen.sentence).toMatch(/come first, that of 'others' next\.$/)
  const token = { kind: 'token', run: waiting } as const
  for (const bound of [{ kind: 'key', tenant: 'own' }, token] as const) {
    const { body } = await ask({ role: 'viewer', ...bound }, 'GET', path)
    expect(body.sentence).toMatch(
      /: none of 'own' come before it, .* the turns of 2 other keys come first\.$/,
    )
  }
  release.arrive()
})

test('K1 the history of a run names no run of another pipeline to a key of its own', async () => {
  const shared = { ttl: '1h', scope: 'withheld-shared' } as const
  const [first, second] = ['withheld-first', 'withheld-second'].map((slug) =>
    pipeline(slug).step('read', ({ cache }) => cache('k', shared, () => 1)),
  )
  await opened.worker({ pipelines: [first!, second!] })
  const client = opened.client()
  const ran = async (one: typeof first) => {
    const { run } = await client.start(one!, null, { tenant: 'a' })
    await client.run(run!.id).result()
    return run!.id
  }
  const computed = await ran(first)
  const path = `/runs/${await ran(second)}/account`
  const { ask } = await openApi()
  const hit = async (who: Partial<Actor>) => {
    const { body } = await ask(who, 'GET', path)
    return body.events.listed.find(({ kind }: { kind: string }) => kind === 'cache.hit').detail
  }
  const key = { kind: 'key', role: 'viewer' } as const
  for (const who of [ann, { ...key, tenant: 'a' }]) expect(await hit(who)).toMatchObject({ run: computed })
  const token = { kind: 'token', role: 'viewer', run: path.split('/')[2]! } as const
  for (const who of [{ ...key, pipelines: ['withheld-second'] }, token])
    expect(await hit(who)).toMatchObject({ scope: 'withheld-shared', run: null })
})

test('K1 what a run called, and what called it, is told of in numbers alone to a key of one of the two pipelines', async () => {
  const release = new Arrival()
  const called = pipeline('withheld-called').step('go', async () => {
    await release.come
    return 1
  })
  const calling = pipeline('withheld-calling').step('ask', ({ durable }) => durable.call(called, null))
  await opened.worker({ pipelines: [called, calling] })
  const { ask } = await openApi()
  const { run: parent } = await opened.client().start(calling, null)
  const child = await until('it is called', async () => {
    const { body } = await ask(ann, 'GET', '/runs?pipeline=withheld-called&state=running')
    return body.items?.[0]?.id as string | undefined
  })
  const waits = async (who: Partial<Actor>) =>
    (await ask(who, 'GET', `/runs/${parent!.id}/account`)).body.tasks.listed[0]?.waits[0]
  await until('it waits', async () => (await waits(ann)) !== undefined)
  expect(await waits(ann)).toMatchObject({ child_run: child })

  const key = { kind: 'key', role: 'viewer' } as const
  const ofParent: Partial<Actor> = { ...key, pipelines: ['withheld-calling'] }
  const token: Partial<Actor> = { kind: 'token', role: 'viewer', run: parent!.id }
  for (const who of [ofParent, token]) {
    for (const verb of ['', '/account', '/why', '/progress', '/lineage', '/result']) {
      const { status, body } = await ask(who, 'GET', `/runs/${parent!.id}${verb}`)
      expect(status).toBe(200)
      expect(JSON.stringify(body), verb).not.toContain(child)
      expect(JSON.stringify(body), verb).not.toContain('withheld-called')
    }
    const { body } = await ask(who, 'GET', `/runs/${parent!.id}/account`)
    expect(body.children).toEqual({ total: 1, states: { running: 1 }, listed: [] })
  }
  const ofChild: Partial<Actor> = { ...key, pipelines: ['withheld-called'] }
  for (const verb of ['', '/account']) {
    const { body } = await ask(ofChild, 'GET', `/runs/${child}${verb}`)
    expect(JSON.stringify(body), verb).not.toContain(parent!.id)
    expect((body.run ?? body).parent_run_id).toBeNull()
  }
  const both: Partial<Actor> = { ...key, pipelines: ['withheld-called', 'withheld-calling'] }
  for (const who of [both, ann]) {
    const { body } = await ask(who, 'GET', `/runs/${parent!.id}/account`)
    expect(body.children.listed).toMatchObject([{ run: child, pipeline: 'withheld-called' }])
    expect((await ask(who, 'GET', `/runs/${child}`)).body.parent_run_id).toBe(parent!.id)
  }
  release.arrive()
})

test('what an encrypted run failed with and logged is read where the server has its key, by whoever may see payloads', async () => {
  const encryptionKeys = { k: Buffer.alloc(32, 7).toString('base64') }
  const sealed = pipeline('withheld-sealed', { encrypt: true }).step(
    'only',
    { retry: { attempts: 1 } },
    ({ log }) => {
      log('looked', { of: canary })
      throw new Error(canary)
    },
  )
  await opened.worker({ pipelines: [sealed], encryptionKeys })
  const client = opened.client({ encryptionKeys })
  const { run } = await client.start(sealed, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  const [withKey, without] = [await openApi({ encryptionKeys }), await openApi()]
  for (const verb of ['', '/result', '/account']) {
    const path = `/runs/${run!.id}${verb}`
    expect(JSON.stringify((await withKey.ask(ann, 'GET', path)).body), path).toContain(canary)
    for (const { body } of [await withKey.ask(blind, 'GET', path), await without.ask(ann, 'GET', path)]) {
      expect(JSON.stringify(body), path).not.toContain(canary)
      expect(JSON.stringify(body), path).not.toContain('$encrypted')
    }
  }
  for (const path of ['/runs?pipeline=withheld-sealed', '/dead-letters']) {
    const { body } = await withKey.ask(ann, 'GET', path)
    expect(body.items).toHaveLength(1)
    expect(JSON.stringify(body), path).not.toContain('$encrypted')
  }
  const { body } = await withKey.ask(ann, 'GET', `/runs/${run!.id}/account`)
  const [line] = body.events.listed.filter(({ kind }: { kind: string }) => kind === 'step.log')
  expect(line.detail).toMatchObject({ message: 'looked', fields: { of: canary } })

  const path = `/runs/${run!.id}/account`
  expect((await withKey.ask(ann, 'POST', `/runs/${run!.id}/redrive`, {})).status).toBe(200)
  const redriven = (told: { kind: string }) => told.kind === 'run.redriven'
  const errorOf = async ({ ask }: typeof withKey, who: Partial<Actor>) =>
    (await ask(who, 'GET', path)).body.events.listed.find(redriven).detail.error
  expect(await errorOf(withKey, ann)).toMatchObject({ message: canary })
  for (const error of [await errorOf(withKey, blind), await errorOf(without, ann)]) {
    expect(JSON.stringify(error)).not.toContain(canary)
    expect(error).not.toHaveProperty('$encrypted')
  }
})

test('K1 a pause for the failure of a run of another tenant does not name it to a key of its own', async () => {
  const failing = pipeline('withheld-pause', { pauseAfter: 1 }).step(
    'only',
    { retry: { attempts: 1 } },
    () => {
      throw new Error('no')
    },
  )
  await opened.worker({ pipelines: [failing] })
  const client = opened.client()
  const availableAt = new Date(Date.now() + 3_600_000)
  const { run: own } = await client.start(failing, null, { tenant: 'a', availableAt })
  const { run: other } = await client.start(failing, null, { tenant: 'b' })
  await expect(client.run(other!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  const { ask } = await openApi()
  const body = { pipeline: 'withheld-pause', input: null }
  const many = { pipeline: 'withheld-pause', inputs: [null, null] }
  const told = async (who: Partial<Actor>): Promise<string[]> => {
    const answers = [
      await ask(who, 'GET', '/pipelines'),
      await ask(who, 'GET', '/pipelines/withheld-pause'),
      await ask(who, 'GET', `/runs/${own!.id}/why`),
      await ask(who, 'GET', `/runs/${own!.id}/account`),
      await ask(who, 'POST', '/runs', body),
      await ask(who, 'POST', '/runs/many', many),
      await ask(who, 'POST', '/runs/ensure', body),
    ]
    return answers.map((answer) => JSON.stringify(answer.body))
  }
  for (const text of await told(ann)) expect(text).toContain(`one run failed, the last one ${other!.id}`)
  for (const text of await told({ kind: 'key', role: 'operator', tenant: 'a' })) {
    expect(text).toContain('one run failed, the last one another run')
    expect(text).not.toContain(other!.id)
  }
})
