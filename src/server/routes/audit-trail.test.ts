// The audit trail over HTTP: what is done over the API says who asked and from where; it is read, exported and checked by admins alone.
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { pipeline } from '../../sdk/pipeline.ts'
import { verifyLines } from '../../sdk/audit-trail.ts'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const sweep = pipeline('trail-api').step('search', () => 1)

test('FO-13 what somebody does over HTTP is on record with the person, the address and the correlation id, and is read page by page', async () => {
  const { run } = await opened.client().start(sweep, null)
  const { ask, server } = await openApi()
  const ann = { name: 'ann@example.org', kind: 'person', role: 'admin' } as const
  await ask(ann, 'POST', `/runs/${run!.id}/cancel`, {})
  const { body } = await ask(ann, 'GET', '/audit-trail?action=run.cancelled')
  expect(body.items).toMatchObject([
    {
      actor: 'ann@example.org',
      actor_kind: 'person',
      action: 'run.cancelled',
      subject_kind: 'run',
      subject: run!.id,
      user_agent: null,
      correlation_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    },
  ])
  expect(body.items[0].login).not.toBe('')
  const first = await ask(ann, 'GET', '/audit-trail?limit=1')
  const second = await ask(ann, 'GET', `/audit-trail?limit=1&cursor=${first.body.next}`)
  expect(second.body.items[0].id).toBeLessThan(first.body.items[0].id)
  expect((await ask(ann, 'GET', '/audit-trail?actor=nobody')).body.items).toEqual([])

  const exported = await server.fetch(
    new Request('http://millrace.test/audit-trail/export', { headers: { 'x-test-actor': ann.name } }),
  )
  expect(exported.headers.get('content-type')).toBe('application/x-ndjson')
  const end = await verifyLines(Readable.from((await exported.text()).split('\n')))
  const verified = await ask(ann, 'GET', `/audit-trail/verify?position=${end.position}&hash=${end.hash}`)
  expect(verified.body).toMatchObject({ end, faults: [], guards: { owner: 'millrace_trail' } })
  const other = await ask(ann, 'GET', `/audit-trail/verify?position=${end.position}&hash=${'0'.repeat(64)}`)
  expect(other.body.faults).toEqual([{ fault: 'changed', position: end.position }])
  expect(await ask(ann, 'GET', '/audit-trail/verify?position=1')).toMatchObject({ status: 400 })

  expect(await ask(ann, 'POST', '/audit-trail/prune', end)).toMatchObject({ body: { removed: 0 } })
  await database.clock.advance('91 days')
  expect(await ask(ann, 'POST', '/audit-trail/prune', { ...end, hash: 'f'.repeat(64) })).toMatchObject({
    status: 409,
    body: { code: 'audit_export_unknown' },
  })
  expect(await ask(ann, 'POST', '/audit-trail/prune', end)).toMatchObject({
    body: { removed: end.position, through: end.position },
  })
})

test('FO-13 operators, and keys that are bound to a tenant, do not see the trail', async () => {
  const { ask } = await openApi()
  for (const path of ['/audit-trail', '/audit-trail/export', '/audit-trail/verify'])
    for (const actor of [{ role: 'operator' }, { tenant: 'a' }, { pipelines: ['trail-api'] }] as const)
      expect((await ask(actor, 'GET', path)).status).toBe(403)
})
