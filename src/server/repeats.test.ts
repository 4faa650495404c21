// Requests with an idempotency key: carried out once, answered alike, whatever breaks in between.
import { expect, test } from 'vitest'
import { pipeline } from '../sdk/pipeline.ts'
import { apiOn } from '../../test/api.ts'
import { openMillrace } from '../../test/millrace.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const echo = pipeline('repeat-echo').step('say', () => 1)
const ann = { id: 'ann', name: 'ann@example.org' }
const under = (key: string): Record<string, string> => ({ 'idempotency-key': key })

async function startOne(): Promise<string> {
  return (await opened.client().start(echo, null)).run!.id
}

async function eventsOf(run: string, kind: string): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    'select count(*)::int as n from millrace.event where run_id = $1 and kind = $2',
    [run, kind],
  )
  return row!.n
}

test('E2 a POST that is sent again under its idempotency key has the same answer and no second effect', async () => {
  const { ask } = await openApi()
  const run = await startOne()
  const pause = () => ask(ann, 'POST', `/runs/${run}/pause`, { reason: 'wait' }, under('pause-1'))
  const first = await pause()
  expect(first).toMatchObject({ status: 200, body: { changed: true } })
  await ask(ann, 'POST', `/runs/${run}/resume`, {})
  const again = await pause()
  expect(again).toMatchObject({ status: 200, body: first.body })
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(await eventsOf(run, 'run.paused')).toBe(1)
})

test('E2 of many that are sent at once under one key exactly one is carried out; the others wait or get its answer', async () => {
  const { ask } = await openApi()
  const name = 'busy-account'
  const body = { name, role: 'viewer' }
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => ask(ann, 'POST', '/service-accounts', body, under('account-1'))),
  )
  const statuses = new Set(answers.map(({ status }) => status))
  expect([...statuses].every((status) => status === 201 || status === 409)).toBe(true)
  for (const { status, headers, body } of answers) {
    if (status !== 409) continue
    expect(body['code']).toBe('request_under_way')
    expect(headers.get('retry-after')).toBe('1')
  }
  const fresh = answers.filter(
    ({ status, headers }) => status === 201 && headers.get('idempotency-replayed') === null,
  )
  expect(fresh).toHaveLength(1)
  expect(await ask(ann, 'POST', '/service-accounts', body, under('account-1'))).toMatchObject({
    status: 201,
    body: fresh[0]!.body,
  })
})

test('E2 another request under the same key is a conflict, and another actor has keys of their own', async () => {
  const { ask } = await openApi()
  const [one, two] = [await startOne(), await startOne()]
  await ask(ann, 'POST', `/runs/${one}/pause`, {}, under('mine'))
  const others = await Promise.all([
    ask(ann, 'POST', `/runs/${one}/pause`, { reason: 'other' }, under('mine')),
    ask(ann, 'POST', `/runs/${two}/pause`, {}, under('mine')),
    ask(ann, 'POST', `/runs/${one}/resume`, {}, under('mine')),
  ])
  for (const other of others)
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } })
  const bob = { id: 'bob', name: 'bob@example.org' }
  expect(await ask(bob, 'POST', `/runs/${two}/pause`, {}, under('mine'))).toMatchObject({ status: 200 })
})

test('what was answered to somebody who might more, or to no agent, is not told again', async () => {
  const { ask } = await openApi()
  const run = await startOne()
  const pause = (actor: object, headers = {}) =>
    ask({ ...ann, ...actor }, 'POST', `/runs/${run}/pause`, {}, { ...under('rights'), ...headers })
  expect(await pause({})).toMatchObject({ status: 200 })
  for (const other of [await pause({ payloads: false }), await pause({}, { 'millrace-agent': 'claude' })])
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } })
})

test('E2 a request that is refused leaves its key free', async () => {
  const { ask } = await openApi()
  const run = await startOne()
  const cancel = (revision: string) =>
    ask(ann, 'POST', `/runs/${run}/cancel`, {}, { ...under('cancel-1'), 'if-match': revision })
  expect(await cancel('"7"')).toMatchObject({ status: 409, body: { code: 'revision_conflict' } })
  expect(await cancel('"0"')).toMatchObject({ status: 200, body: { changed: true } })
})

test('E2 what was done before the connection broke is undone with it, and done once when it is asked again', async () => {
  const { ask } = await openApi()
  const run = await startOne()
  // The server dies where it would keep the answer: after the effect, before the commit.
  await database.query(`
    create function millrace.die() returns trigger language plpgsql as $$
    begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
    create trigger die before insert on millrace.answered_request for each row execute function millrace.die()`)
  const pause = () => ask(ann, 'POST', `/runs/${run}/pause`, {}, under('crash-1'))
  expect((await pause()).status).toBeGreaterThanOrEqual(500)
  expect(await eventsOf(run, 'run.paused')).toBe(0)
  await database.query('drop trigger die on millrace.answered_request; drop function millrace.die()')
  expect(await pause()).toMatchObject({ status: 200, body: { changed: true } })
  expect(await pause()).toMatchObject({ status: 200, body: { changed: true } })
  expect(await eventsOf(run, 'run.paused')).toBe(1)
})

test('E2 a hundred starts at once with one idempotency key make one run; another input is a conflict', async () => {
  await startOne()
  const { ask } = await openApi()
  const start = (input: number) =>
    ask(ann, 'POST', '/runs', { pipeline: 'repeat-echo', input }, under('start-1'))
  const first = await start(1)
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => start(index % 2)))
  for (const [index, { status, body }] of answers.entries()) {
    if (index % 2 === 1) expect(body).toMatchObject({ run: { id: first.body['run'].id } })
    else expect({ status, code: body['code'] }).toEqual({ status: 409, code: 'idempotency_conflict' })
  }
})

test('E2 many starts in one request are all there once, under its idempotency key', async () => {
  await startOne()
  const { ask } = await openApi()
  const start = () =>
    ask(ann, 'POST', '/runs/many', { pipeline: 'repeat-echo', inputs: [1, 2, 3] }, under('many-1'))
  const first = await start()
  expect(first.status).toBe(201)
  expect((await start()).body).toEqual(first.body)
})

test('an answer that is shown once is kept nowhere: sent again, its request says that it was carried out', async () => {
  const { ask } = await openApi()
  const make = () => ask(ann, 'POST', '/keys', { name: 'once' }, under('key-1'))
  const made = await make()
  expect(made.status).toBe(201)
  expect(await make()).toMatchObject({ status: 409, body: { code: 'answer_not_kept' } })
  const keys = await ask(ann, 'GET', '/keys')
  expect(keys.body['items'].filter((key: { name: string }) => key.name === 'once')).toHaveLength(1)
  const [kept] = await database.query<{ text: string }>(
    `select string_agg(r::text, '') as text from millrace.answered_request r`,
  )
  expect(kept!.text).not.toContain(made.body['key'].slice(-20))
})

test('an answer is kept for a day, and cleared away after it', async () => {
  const { ask } = await openApi()
  const run = await startOne()
  const pause = () => ask(ann, 'POST', `/runs/${run}/pause`, {}, under('day-1'))
  expect((await pause()).body).toEqual({ changed: true })
  await database.clock.advance(86_400_000 - 60_000)
  expect((await pause()).body).toEqual({ changed: true })
  await database.clock.advance(120_000)
  expect((await pause()).body).toEqual({ changed: false })
  await database.clock.advance(86_400_001)
  await database.query('select millrace.prune_requests()')
  expect(await database.query('select from millrace.answered_request')).toEqual([])
})

test('what is no key is refused, and more requests than connections wait for each other without an end', async () => {
  const { ask } = await openApi({ connectionsMax: 2 })
  expect(await ask(ann, 'POST', '/service-accounts', {}, under('k'.repeat(256)))).toMatchObject({
    status: 400,
    body: { code: 'request_invalid' },
  })
  const keys = await Promise.all(Array.from({ length: 12 }, () => startOne()))
  const answers = await Promise.all(
    keys.map((run) => ask(ann, 'POST', `/runs/${run}/pause`, {}, under(`each-${run}`))),
  )
  expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 200))
})
