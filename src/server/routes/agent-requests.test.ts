// What agents ask people for: asked once, decided once, carried out with the approval or not at all, and within what the agent is bound to.
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Actor } from '../../api/access.ts'
import { agentHeader } from '../../api/agent-requests.ts'
import { poolCaller } from '../../db/call.ts'
import { registerPipeline } from '../../db/pipelines.ts'
import { ApiKeys } from '../../sdk/api-keys.ts'
import { pipeline } from '../../sdk/pipeline.ts'
import { apiOn } from '../../../test/api.ts'
import { until } from '../../../test/deadline.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { pruneAll } from '../../../test/protocol.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const wanted = pipeline('agent-wanted').step('search', () => 1)

const ann: Partial<Actor> = { name: 'ann@example.org', role: 'operator' }
const bob: Partial<Actor> = { name: 'bob@example.org', role: 'admin' }
const helper: Partial<Actor> = { kind: 'key', id: 'key-1', name: 'helper', role: 'operator', agent: 'asks' }

/** Starts a run, has the agent ask for its end, and gives both ids. */
async function askToCancel(
  ask: Awaited<ReturnType<typeof openApi>>['ask'],
  headers: Record<string, string> = {},
  agent = helper,
): Promise<{ run: string; id: string }> {
  const { run } = await opened.client().start(wanted, null)
  const asked = await ask(agent, 'POST', `/runs/${run!.id}/cancel`, { reason: 'it hangs' }, headers)
  expect(asked).toMatchObject({ status: 202, body: { agent_request: { state: 'open' } } })
  return { run: run!.id, id: asked.body.agent_request.id }
}

async function stateOf(run: string): Promise<string | undefined> {
  const [row] = await database.query<{ state: string }>('select state from millrace.run where id = $1', [run])
  return row?.state
}

test('a key of an agent asks by every way of the API, and a program may say of itself that an agent acts by it', async () => {
  const { ask } = await openApi()
  const { run, id } = await askToCancel(ask)
  expect(await stateOf(run)).toBe('pending')
  expect((await ask(helper, 'GET', `/agent-requests/${id}`)).body).toMatchObject({
    state: 'open',
    asked_by: expect.stringMatching(/^agent helper via /),
    body: { reason: 'it hangs' },
  })
  const own = await ask(ann, 'POST', `/runs/${run}/cancel`, {}, { [agentHeader]: 'asks' })
  expect(own.status).toBe(202)
  expect(await stateOf(run)).toBe('pending')
})

test('an agent that may act does so as an agent, and decides nothing that another one asks', async () => {
  const { ask } = await openApi()
  const { run, id } = await askToCancel(ask)
  const acting: Partial<Actor> = { ...helper, id: 'key-2', name: 'actor', agent: 'acts' }
  expect(await ask(acting, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({ status: 403 })
  expect(await ask(helper, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({ status: 403 })
  // It says that an agent acts by it; it may act all the same.
  const done = await ask(acting, 'POST', `/runs/${run}/cancel`, {}, { [agentHeader]: 'asks' })
  expect(done).toMatchObject({ status: 200, body: { changed: true } })
  const [event] = await database.query<{ actor: string }>(
    `select actor from millrace.event where run_id = $1 and kind = 'run.cancelled'`,
    [run],
  )
  expect(event?.actor).toMatch(/^agent actor via /)
})

test('what an agent could not do it cannot ask for, nor what only people do', async () => {
  const { ask } = await openApi()
  const { run } = await opened.client().start(wanted, null)
  const viewer: Partial<Actor> = { ...helper, id: 'key-3', role: 'viewer' }
  expect(await ask(viewer, 'POST', `/runs/${run!.id}/cancel`, {})).toMatchObject({ status: 403 })
  expect(await ask(helper, 'POST', `/runs/${run!.id}/cancel`, { reason: 7 })).toMatchObject({ status: 400 })
  const foreign: Partial<Actor> = { ...helper, id: 'key-4', tenant: 'b' }
  expect(await ask(foreign, 'POST', `/runs/${run!.id}/cancel`, {})).toMatchObject({ status: 404 })
  const secret: Partial<Actor> = { ...helper, id: 'key-5', role: 'admin' }
  expect(await ask(secret, 'PUT', '/secrets/mail%2Ftoken', { value: 'a secret' })).toMatchObject({
    status: 403,
  })
  expect(await ask(secret, 'DELETE', `/runs/${run!.id}`)).toMatchObject({ status: 403 })
  expect(await database.query(`select from millrace.agent_request where asker_id = 'key-5'`)).toEqual([])
})

test('the same question is one request while it is open, and another one after that', async () => {
  const { ask } = await openApi()
  const { run, id } = await askToCancel(ask)
  const again = await Promise.all(
    [1, 2, 3].map(() => ask(helper, 'POST', `/runs/${run}/cancel`, { reason: 'it hangs' })),
  )
  expect(again.map(({ body }) => body.agent_request.id)).toEqual([id, id, id])
  expect(await ask(ann, 'POST', `/agent-requests/${id}/reject`, { comment: 'it works' })).toMatchObject({
    body: {
      state: 'rejected',
      comment: 'it works',
      decided_by: expect.stringMatching(/^ann@example\.org via /),
    },
  })
  expect(await ask(ann, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({
    status: 409,
    body: { code: 'agent_request_decided', fields: { state: 'rejected' } },
  })
  expect(await stateOf(run)).toBe('pending')
  const anew = await ask(helper, 'POST', `/runs/${run}/cancel`, { reason: 'it hangs' })
  expect(anew.body.agent_request.id).not.toBe(id)
})

test('what nobody decides expires, and can be asked again', async () => {
  const { ask } = await openApi()
  const { run, id } = await askToCancel(ask)
  await database.clock.advance('25h')
  expect((await ask(ann, 'GET', `/agent-requests/${id}`)).body.state).toBe('expired')
  const open = await ask(ann, 'GET', '/agent-requests?state=open')
  expect(open.body.items.map((item: { id: string }) => item.id)).not.toContain(id)
  expect(await ask(ann, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({ status: 409 })
  expect(await stateOf(run)).toBe('pending')
  const anew = await ask(helper, 'POST', `/runs/${run}/cancel`, { reason: 'it hangs' })
  expect(anew).toMatchObject({ status: 202, body: { agent_request: { created: true } } })
})

test('what was approved and is refused by the operation failed, changes nothing, and says why', async () => {
  const { ask } = await openApi()
  const { run, id } = await askToCancel(ask, { 'if-match': '"7"' })
  expect(await ask(ann, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({
    status: 409,
    body: { code: 'revision_conflict' },
  })
  expect((await ask(helper, 'GET', `/agent-requests/${id}`)).body).toMatchObject({
    state: 'failed',
    error: { code: 'revision_conflict' },
    answer: null,
  })
  expect(await stateOf(run)).toBe('pending')
})

test('an approval under an idempotency key fails as any other, and is answered alike when it is sent again', async () => {
  const { ask } = await openApi()
  const cyd: Partial<Actor> = { ...ann, id: 'cyd', name: 'cyd@example.org' }
  const refused = await askToCancel(ask, { 'if-match': '"7"' })
  const path = `/agent-requests/${refused.id}`
  expect(await ask(cyd, 'POST', `${path}/approve`, {}, { 'idempotency-key': 'refused' })).toMatchObject({
    status: 409,
    body: { code: 'revision_conflict' },
  })
  expect((await ask(cyd, 'GET', path)).body).toMatchObject({
    state: 'failed',
    error: { code: 'revision_conflict' },
  })
  const { run, id } = await askToCancel(ask)
  const approve = (who: Partial<Actor>) =>
    ask(who, 'POST', `/agent-requests/${id}/approve`, {}, { 'idempotency-key': 'approved' })
  expect(await approve(cyd)).toMatchObject({ status: 200, body: { state: 'approved' } })
  expect(await approve(cyd)).toMatchObject({ status: 200, body: { state: 'approved', id } })
  expect(await approve(ann)).toMatchObject({ status: 409, body: { code: 'agent_request_decided' } })
  expect(await stateOf(run)).toBe('cancelled')
})

test('what is too long to be read by people is refused, and what an agent says is kept without what no database holds', async () => {
  const { ask } = await openApi()
  await opened.client().start(wanted, null)
  const inputs = [1, 2, 3].map(() => 'x'.repeat(500_000))
  const large = await ask(helper, 'POST', '/runs/many', { pipeline: 'agent-wanted', inputs })
  expect(large).toMatchObject({ status: 422, body: { code: 'argument_invalid' } })
  const headers = { 'millrace-agent-why': 'it%00 hangs' }
  const { id } = await askToCancel(ask, headers)
  expect((await ask(helper, 'GET', `/agent-requests/${id}`)).body.why).toBe('it hangs')
})

test('what was approved and fails with many words keeps as many as a record takes, and none by half', async () => {
  const input = z.string().superRefine((message, context) => context.addIssue({ code: 'custom', message }))
  const wordy = pipeline('agent-wordy', { input }).step('only', () => 1)
  await registerPipeline(
    poolCaller(database.pool, { prepare: false, database: 'test' }),
    wordy.slug,
    wordy.graph,
  )
  const { ask } = await openApi({ pipelines: [wordy] })
  for (const begin of ['', 'a']) {
    const start = { pipeline: 'agent-wordy', input: `${begin}${'🙂'.repeat(2_000)}` }
    const asked = await ask(helper, 'POST', '/runs', start)
    const path = `/agent-requests/${asked.body.agent_request.id}`
    expect((await ask(ann, 'POST', `${path}/approve`, {})).status).toBe(422)
    const { body } = await ask(helper, 'GET', path)
    expect(body).toMatchObject({ state: 'failed', error: { code: 'input_invalid' } })
  }
})

test('the words with which an operation refused what an agent gave along are shown to who may see that, and to the agent', async () => {
  const input = z
    .string()
    .superRefine((given, context) => context.addIssue({ code: 'custom', message: `no IBAN: ${given}` }))
  const quoting = pipeline('agent-quoting', { input }).step('only', () => 1)
  await registerPipeline(
    poolCaller(database.pool, { prepare: false, database: 'test' }),
    quoting.slug,
    quoting.graph,
  )
  const { ask } = await openApi({ pipelines: [quoting] })
  const blind: Partial<Actor> = { ...helper, payloads: false }
  const asked = await ask(blind, 'POST', '/runs', { pipeline: 'agent-quoting', input: 'DE12-canary' })
  const path = `/agent-requests/${asked.body.agent_request.id}`
  expect((await ask(ann, 'POST', `${path}/approve`, {})).status).toBe(422)
  for (const sees of [blind, { ...ann, payloads: true }])
    expect((await ask(sees, 'GET', path)).body).toMatchObject({
      error: { code: 'input_invalid', message: expect.stringContaining('DE12-canary') },
      payloads_hidden: false,
    })
  expect((await ask({ ...ann, payloads: false }, 'GET', path)).body).toMatchObject({
    body: null,
    error: { code: 'input_invalid', message: 'input_invalid' },
    payloads_hidden: true,
  })
})

test('no agent decides on what a run asks of people, not even one that may act', async () => {
  const asking = pipeline('agent-asked').approval('release', { roles: ['operator'] })
  await opened.worker({ pipelines: [asking], slots: 2 })
  const client = opened.client()
  await client.start(asking, null)
  await until('the approval is open', async () => (await client.approvals.list()).length === 1)
  const [approval] = await client.approvals.list()
  const { ask } = await openApi()
  const acting: Partial<Actor> = { ...helper, id: 'key-10', name: 'actor', agent: 'acts' }
  const path = `/approvals/${approval!.id}`
  expect(await ask(acting, 'POST', `${path}/decide`, { decision: 'approve' })).toMatchObject({ status: 403 })
  expect(await ask(acting, 'POST', `${path}/delegate`, { to: 'agent actor' })).toMatchObject({ status: 403 })
  expect(await ask(ann, 'POST', `${path}/decide`, { decision: 'approve' })).toMatchObject({
    status: 200,
    body: { state: 'approved' },
  })
})

test('J6 what an agent asked whose key was revoked since is approved by nobody: it changes nothing, and its request is closed', async () => {
  const { ask } = await openApi()
  const caller = poolCaller(database.pool, { prepare: false, database: 'the test' })
  const keys = new ApiKeys(() => Promise.resolve(caller))
  for (const shutOut of ['revoke', 'disable'] as const) {
    const account = `shut-out-by-${shutOut}`
    await database.query(`select millrace.create_service_account($1, 'operator')`, [account])
    const key = await keys.create({ name: 'agent', serviceAccount: account, role: 'operator', agent: 'asks' })
    const { run, id } = await askToCancel(ask, {}, { ...helper, id: key.id, name: account })
    if (shutOut === 'revoke') await keys.revoke(key.id)
    else await database.query('select millrace.disable_service_account($1)', [account])
    expect(await ask(bob, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({
      status: 409,
      body: { code: 'agent_gone', fields: { agent: account } },
    })
    expect(await stateOf(run)).toBe('pending')
    expect((await ask(bob, 'GET', `/agent-requests/${id}`)).body).toMatchObject({
      state: 'failed',
      error: { code: 'agent_gone' },
    })
  }
})

test('J6 an agent whose key was replaced since is not shut out, until the key that replaced it is revoked', async () => {
  const { ask } = await openApi()
  const caller = poolCaller(database.pool, { prepare: false, database: 'the test' })
  const keys = new ApiKeys(() => Promise.resolve(caller))
  await database.query(`select millrace.create_service_account('replaced', 'operator')`)
  for (const [overlap, revoked] of [
    ['0s', false],
    ['0s', true],
    ['1d', true],
  ] as const) {
    const key = await keys.create({
      name: 'agent',
      serviceAccount: 'replaced',
      role: 'operator',
      agent: 'asks',
    })
    const { id } = await askToCancel(ask, {}, { ...helper, id: key.id, name: 'replaced' })
    const next = await keys.rotate(key.id, { overlap })
    if (revoked) await keys.revoke(next.id)
    const { status } = await ask(bob, 'POST', `/agent-requests/${id}/approve`, {})
    expect([overlap, revoked, status]).toEqual([overlap, revoked, revoked ? 409 : 200])
  }
})

test('J6 what an agent asked ends with its key: it is no longer open, and no key in the place of that one keeps it open once that has ended too', async () => {
  const { ask } = await openApi()
  const caller = poolCaller(database.pool, { prepare: false, database: 'the test' })
  const keys = new ApiKeys(() => Promise.resolve(caller))
  const short = await keys.create({ name: 'short', role: 'operator', agent: 'asks', livesFor: '1h' })
  const first = await askToCancel(ask, {}, { ...helper, id: short.id, name: 'short' })
  const replaced = await keys.create({ name: 'replaced', role: 'operator', agent: 'asks' })
  const second = await askToCancel(ask, {}, { ...helper, id: replaced.id, name: 'replaced' })
  await keys.rotate(replaced.id, { overlap: '1m', livesFor: '1h' })
  await database.clock.advance('1h')
  expect((await ask(bob, 'GET', `/agent-requests/${first.id}`)).body).toMatchObject({ state: 'expired' })
  for (const [{ run, id }, code, state] of [
    [first, 'agent_request_decided', 'expired'],
    [second, 'agent_gone', 'failed'],
  ] as const) {
    const refused = await ask(bob, 'POST', `/agent-requests/${id}/approve`, {})
    expect([refused.status, refused.body.code]).toEqual([409, code])
    expect((await ask(bob, 'GET', `/agent-requests/${id}`)).body).toMatchObject({ state })
    expect(await stateOf(run)).toBe('pending')
  }
})

test('whoever may not do it cannot approve it; it stays open for somebody who may', async () => {
  const { ask } = await openApi()
  const admin: Partial<Actor> = { ...helper, id: 'key-6', role: 'admin' }
  const asked = await ask(admin, 'POST', '/pipelines/agent-wanted/pause', { reason: 'it is down' })
  expect(asked.status).toBe(202)
  const { id } = asked.body.agent_request
  expect(await ask({ role: 'viewer' }, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({
    status: 403,
  })
  const elsewhere: Partial<Actor> = { ...ann, pipelines: ['another'] }
  expect(await ask(elsewhere, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({ status: 404 })
  expect(await ask(bob, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({
    status: 200,
    body: { state: 'approved' },
  })
  const [row] = await database.query<{ paused_at: Date | null }>(
    `select paused_at from millrace.pipeline where slug = 'agent-wanted'`,
  )
  expect(row?.paused_at).not.toBeNull()
  await ask(bob, 'POST', '/pipelines/agent-wanted/resume', {})
})

test('a start that an agent of one tenant asked for begins in that tenant, whoever approves', async () => {
  await opened.client().start(wanted, null)
  const { ask } = await openApi()
  const bound: Partial<Actor> = { ...helper, id: 'key-7', tenant: 'a', pipelines: ['agent-wanted'] }
  const asked = await ask(bound, 'POST', '/runs', { pipeline: 'agent-wanted', input: { n: 1 } })
  const { id } = asked.body.agent_request
  const ofB: Partial<Actor> = { ...ann, name: 'eve@example.org', tenant: 'b' }
  expect(await ask(ofB, 'GET', `/agent-requests/${id}`)).toMatchObject({ status: 404 })
  const approved = await ask(bob, 'POST', `/agent-requests/${id}/approve`, {})
  expect(approved).toMatchObject({ status: 200, body: { answer: { created: true } } })
  const [run] = await database.query<{ tenant: string; started_by: string }>(
    'select tenant, started_by from millrace.run where id = $1',
    [approved.body.answer.run.id],
  )
  expect(run).toEqual({
    tenant: 'a',
    started_by: expect.stringMatching(/^bob@example\.org for agent helper via /),
  })
})

test('a start whose approval is lost has not begun, and begins once when it is approved again', async () => {
  const { ask } = await openApi()
  const asked = await ask(helper, 'POST', '/runs', { pipeline: 'agent-wanted', input: { lost: true } })
  const { id } = asked.body.agent_request
  await database.query('alter function millrace.answer_agent_request(uuid, jsonb) rename to answer_lost')
  try {
    expect(await ask(ann, 'POST', `/agent-requests/${id}/approve`, {})).toMatchObject({ status: 500 })
  } finally {
    await database.query('alter function millrace.answer_lost(uuid, jsonb) rename to answer_agent_request')
  }
  expect((await ask(ann, 'GET', `/agent-requests/${id}`)).body.state).toBe('open')
  expect(await database.query(`select from millrace.run where input = '{"lost": true}'`)).toEqual([])
  const again = await ask(ann, 'POST', `/agent-requests/${id}/approve`, {})
  expect(again).toMatchObject({ status: 200, body: { answer: { created: true } } })
  const runs = await database.query(`select from millrace.run where input = '{"lost": true}'`)
  expect(runs.length).toBe(1)
})

test('what an agent gives along is hidden from whoever sees no payloads, and refused where its pipeline is encrypted', async () => {
  const { ask } = await openApi()
  const { id } = await askToCancel(ask)
  const listed = await ask(
    { ...ann, name: 'cyd@example.org', payloads: false },
    'GET',
    `/agent-requests/${id}`,
  )
  expect(listed.body).toMatchObject({ body: null, payloads_hidden: true })

  const key = Buffer.alloc(32, 7).toString('base64')
  const sealed = pipeline('agent-sealed', { encrypt: true }).step('search', () => 1)
  const { run } = await opened.client({ encryptionKeys: { k: key } }).start(sealed, null)
  const start = await ask(helper, 'POST', '/runs', { pipeline: 'agent-sealed', input: { name: 'Ann' } })
  expect(start).toMatchObject({ status: 403, body: { detail: expect.stringContaining('encrypted') } })
  const cancel = await ask(helper, 'POST', `/runs/${run!.id}/cancel`, { reason: 'enough' })
  expect(cancel.status).toBe(202)
})

test('an agent has no more than a hundred requests open', async () => {
  const { ask } = await openApi()
  const busy: Partial<Actor> = { ...helper, id: 'key-8' }
  const { run } = await opened.client().start(wanted, null)
  await database.query(
    `insert into millrace.agent_request (id, operation, asked, digest, asker_id, asker_name, asked_by, sees_payloads, asked_at, expires_at)
     select gen_random_uuid(), 'cancelRun', '{}', sha256(n::text::bytea), 'key-8', 'helper', 'helper', false, millrace.now(), millrace.now() + interval '1 day'
       from generate_series(1, 100) n`,
  )
  expect(await ask(busy, 'POST', `/runs/${run!.id}/cancel`, {})).toMatchObject({
    status: 429,
    body: { code: 'agent_requests_full', fields: { limit: 100 } },
  })
})

test('with a run goes what an agent asked for and the run came of: started, one of many, or run again with another input', async () => {
  const { ask } = await openApi()
  const own: Partial<Actor> = { ...helper, id: 'key-10' }
  const { run: source } = await opened.client().start(wanted, null)
  await database.query('select millrace.cancel_run($1)', [source!.id])
  const secrets = { name: 'Ann of Canary Wharf' }
  const approved = async (path: string, body: object): Promise<{ id: string; runs: string[] }> => {
    const { id } = (await ask(own, 'POST', path, body)).body.agent_request
    const { answer } = (await ask(bob, 'POST', `/agent-requests/${id}/approve`, {})).body
    const starts: { run: { id: string } }[] = answer.starts ?? [answer]
    return { id, runs: starts.map(({ run }) => run.id) }
  }
  const single = await approved('/runs', { pipeline: 'agent-wanted', input: secrets })
  const many = await approved('/runs/many', { pipeline: 'agent-wanted', inputs: [{ name: 'Bob' }, secrets] })
  const again = await approved(`/runs/${source!.id}/rerun`, { input: secrets })
  const asked = (id: string) => database.query('select from millrace.agent_request where id = $1', [id])
  for (const { id, runs } of [single, many, again]) {
    const run = runs.at(-1)!
    await database.query('select millrace.cancel_run($1)', [run])
    expect(await asked(id)).toHaveLength(1)
    const [counted] = await database.query<{ rows: { agent_request: number } }>(
      'select millrace.delete_run($1, true) as rows',
      [run],
    )
    const [gone] = await database.query<{ rows: object }>('select millrace.delete_run($1) as rows', [run])
    expect([counted!.rows, gone!.rows]).toMatchObject([{ agent_request: 1 }, { agent_request: 1 }])
    expect(await asked(id)).toEqual([])
  }
})

test('with a run or a tenant goes what agents asked of it, and with time what is old', async () => {
  const { ask } = await openApi()
  const { run, id } = await askToCancel(ask)
  await database.query(`select millrace.cancel_run($1)`, [run])
  await database.query(`select millrace.delete_run($1)`, [run])
  expect(await ask(ann, 'GET', `/agent-requests/${id}`)).toMatchObject({
    status: 404,
    body: { code: 'agent_request_unknown' },
  })
  const ofTenant: Partial<Actor> = { ...helper, id: 'key-9', tenant: 'gone' }
  const asked = await ask(ofTenant, 'POST', '/runs', { pipeline: 'agent-wanted', input: { name: 'Ann' } })
  await database.query(`select millrace.erase_tenant('gone', false, gen_random_uuid())`)
  expect(await ask(bob, 'GET', `/agent-requests/${asked.body.agent_request.id}`)).toMatchObject({
    status: 404,
  })

  const { id: old } = await askToCancel(ask)
  await database.clock.advance('89d')
  await pruneAll(database)
  expect((await ask(bob, 'GET', `/agent-requests/${old}`)).body.state).toBe('expired')
  const [kept] = await database.query<{ state: string }>(
    'select state from millrace.agent_request where id = $1',
    [old],
  )
  expect(kept?.state).toBe('expired')
  await database.clock.advance('2d')
  await pruneAll(database)
  expect(await ask(bob, 'GET', `/agent-requests/${old}`)).toMatchObject({ status: 404 })
})
