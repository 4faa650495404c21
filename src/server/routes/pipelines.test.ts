// Pipelines over HTTP: listed, judged by their runs, steered with the revision that was seen, and their paused keys.
import { expect, test } from 'vitest'
import { pipeline } from '../../sdk/pipeline.ts'
import { apiOn } from '../../../test/api.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const ann = { name: 'ann@example.org', role: 'operator' } as const

test('a pipeline is paused, resumed, split and activated in the name of whoever asks', async () => {
  await registerPipeline(database, 'api-steered', chain('only'))
  await registerPipeline(database, 'api-steered', chain('only', 'more'))
  const { ask } = await openApi()
  const paused = await ask(ann, 'POST', '/pipelines/api-steered/pause', { reason: 'a holiday' })
  expect(paused).toMatchObject({ status: 200, body: { changed: true } })
  const shown = await ask(ann, 'GET', '/pipelines/api-steered')
  expect(shown.body).toMatchObject({ pause_reason: 'a holiday', active_version: 2, last_run_id: null })
  expect(shown.body.paused_by).toMatch(/^ann@example\.org via /)
  expect((await ask(ann, 'POST', '/pipelines/api-steered/resume', {})).body).toEqual({ changed: true })
  const shares = [
    { version: 1, weight: 90 },
    { version: 2, weight: 10 },
  ]
  expect(await ask(ann, 'POST', '/pipelines/api-steered/split', { shares })).toMatchObject({ status: 204 })
  const outcomes = await ask(ann, 'GET', '/pipelines/api-steered/outcomes')
  expect(outcomes.body.items).toMatchObject([{ weight: 90 }, { weight: 10 }])
  expect(await ask(ann, 'POST', '/pipelines/api-steered/activate', { version: 1 })).toMatchObject({
    status: 204,
  })
  expect((await ask(ann, 'GET', '/pipelines/api-steered/versions')).body.items).toMatchObject([
    { version: 2, graph: { steps: [{}, {}] } },
    { version: 1 },
  ])
  expect(await ask(ann, 'GET', '/pipelines/nothing')).toMatchObject({
    status: 404,
    body: { code: 'pipeline_unknown' },
  })
})

test('JQ-10 of two people who change a pipeline on one look at it, the second is answered 409 and what it is now', async () => {
  await registerPipeline(database, 'api-raced', chain('only'))
  const { ask } = await openApi()
  const { revision } = (await ask(ann, 'GET', '/pipelines/api-raced')).body
  const seen = { 'if-match': `"${revision}"` }
  const both = await Promise.all([
    ask(ann, 'POST', '/pipelines/api-raced/pause', { reason: 'mine' }, seen),
    ask({ role: 'operator' }, 'POST', '/pipelines/api-raced/activate', { version: 1 }, seen),
  ])
  const stale = both.filter(({ status }) => status === 409)
  expect(stale).toHaveLength(1)
  expect(stale[0]?.body).toMatchObject({
    code: 'revision_conflict',
    fields: {
      seen: revision,
      revision: revision + 1,
      present: { slug: 'api-raced', revision: revision + 1 },
    },
  })
  expect(await ask(ann, 'POST', '/pipelines/api-raced/pause', {}, { 'if-match': '3' })).toMatchObject({
    status: 400,
  })
})

test('RR-12 the inventory tells of each pipeline its last run, how it ended and what starts it: one that is never called, and one that always fails', async () => {
  const failing = pipeline('api-failing').step('only', { retry: { attempts: 1 } }, () => {
    throw new Error('boom')
  })
  await registerPipeline(database, 'api-idle', chain('only'))
  await opened.worker({ pipelines: [failing], slots: 2 })
  const started = await opened.client().start(failing, null)
  await expect(opened.client().run(started.run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  const { ask } = await openApi()
  await ask(ann, 'PUT', '/schedules/nightly', { pipeline: 'api-failing', cron: '0 3 * * *' })
  await ask(ann, 'POST', '/schedules/nightly/pause', {})
  await ask(ann, 'PUT', '/subscriptions/on-order', { pipeline: 'api-failing', event: 'order.placed' })

  const { body } = await ask({ role: 'viewer' }, 'GET', '/inventory')
  const entries = Object.fromEntries(body.items.map((item: { slug: string }) => [item.slug, item]))
  expect(entries['api-idle']).toMatchObject({ verdict: 'never called', last_run_id: null, triggers: [] })
  expect(entries['api-failing']).toMatchObject({
    verdict: 'always failed',
    last_run_id: started.run!.id,
    last_run_state: 'failed',
    last_run_via: 'sdk',
    last_completed_at: null,
    triggers: [
      { kind: 'schedule', name: 'nightly', paused: true },
      { kind: 'subscription', name: 'on-order', paused: false },
    ],
  })
})

test('lists go page by page, and whoever is bound sees only what is theirs', async () => {
  await registerPipeline(database, 'api-one', chain('only'))
  await registerPipeline(database, 'api-two', chain('only'))
  await opened.client().start('api-one', null, { tenant: 'acme' })
  const { ask } = await openApi()
  const slugs: string[] = []
  for (let path: string | undefined = '/pipelines?limit=2'; path !== undefined; ) {
    const { body } = await ask(ann, 'GET', path)
    expect(body.items.length).toBeLessThanOrEqual(2)
    slugs.push(...body.items.map(({ slug }: { slug: string }) => slug))
    path = body.next === null ? undefined : `/pipelines?limit=2&cursor=${body.next}`
  }
  expect(slugs).toEqual([...slugs].sort())
  expect(slugs).toContain('api-two')
  const key = { kind: 'key', pipelines: ['api-two'] } as const
  expect((await ask(key, 'GET', '/pipelines')).body.items).toMatchObject([{ slug: 'api-two' }])
  expect(await ask(key, 'GET', '/pipelines/api-one')).toMatchObject({ status: 404 })
  // Whose run the last one was is nobody else's business.
  const other = await ask({ kind: 'key', tenant: 'other' }, 'GET', '/pipelines/api-one')
  expect(other.body).toMatchObject({ live_runs: null, last_run_id: null, last_run_at: null })
  expect(await ask({ kind: 'key', tenant: 'other' }, 'GET', '/pipelines/api-one/outcomes')).toMatchObject({
    status: 403,
  })
})

test('live runs are moved to another version, and a paused key is listed and resumed', async () => {
  const once = pipeline('api-keyed', { key: 'k', pauseAfter: 1 }).step(
    'only',
    { retry: { attempts: 1 } },
    () => {
      throw new Error('boom')
    },
  )
  await opened.worker({ pipelines: [once], slots: 2 })
  const { run } = await opened.client().start('api-keyed', { k: 'a' }, { tenant: 'acme' })
  await expect(opened.client().run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  const { ask } = await openApi()
  const listed = await ask(ann, 'GET', '/paused-keys?pipeline=api-keyed')
  expect(listed.body.items).toMatchObject([
    { slug: 'api-keyed', tenant: 'acme', failures: 1, run_id: run!.id },
  ])
  expect((await ask({ tenant: 'other' }, 'GET', '/paused-keys')).body.items).toEqual([])
  const { key } = listed.body.items[0]
  const resumed = await ask(ann, 'POST', '/pipelines/api-keyed/resume-key', { key, tenant: 'acme' })
  expect(resumed.body).toEqual({ changed: true })

  await registerPipeline(database, 'api-moved', chain('only'))
  const live = await opened.client().start('api-moved', null)
  await registerPipeline(database, 'api-moved', chain('only', 'more'))
  const moved = await ask(ann, 'POST', '/pipelines/api-moved/migrate-runs', { from: 1, dry_run: true })
  expect(moved.body.items).toMatchObject([{ run_id: live.run!.id, moved: true }])
})
