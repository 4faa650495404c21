// Callbacks over HTTP: added to a run, listed page by page within what the actor may see, and sent again.
import { expect, test } from 'vitest'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
await registerPipeline(database, 'api-called', chain('only'))

test('an address is told of the end of a run, and whoever is bound sees the deliveries of their runs alone', async () => {
  const client = opened.client()
  const { ask } = await openApi()
  const acme = { kind: 'key', role: 'operator', tenant: 'acme' } as const
  for (const tenant of ['acme', 'acme', 'other']) {
    const { run } = await client.start('api-called', null, { tenant })
    const body = { url: 'https://hooks.example.com/runs', secret: 'hooks/runs' }
    const path = `/runs/${run!.id}/callbacks`
    expect(await ask(acme, 'POST', path, body)).toMatchObject({ status: 403 })
    expect((await ask({}, 'POST', path, body)).body).toEqual({ created: true })
    expect((await ask({}, 'POST', path, body)).body).toEqual({ created: false })
    expect(await ask({}, 'POST', path, { ...body, url: 'http://10.0.0.1/x' })).toMatchObject({
      status: 422,
      body: { code: 'target_refused' },
    })
    await client.run(run!.id).cancel()
  }
  const first = await ask(acme, 'GET', '/callbacks?open=true&limit=1')
  expect(first.body.items).toMatchObject([{ ended: 'cancelled', delivered_at: null, attempts: [] }])
  const second = await ask(acme, 'GET', `/callbacks?limit=1&cursor=${first.body.next}`)
  expect(second.body.next).toBeNull()
  expect(second.body.items[0].id).not.toBe(first.body.items[0].id)
  const all = (await ask({}, 'GET', '/callbacks')).body.items
  expect(all).toHaveLength(3)
  const own = first.body.items[0].id
  const foreign = all[0].run_id === first.body.items[0].run_id ? all[1].id : all[0].id
  expect((await ask(acme, 'GET', `/callbacks/${own}`)).body).toMatchObject({ id: own })
  expect(await ask(acme, 'POST', `/callbacks/${own}/resend`, {})).toMatchObject({ status: 204 })
  expect(await ask({ ...acme, tenant: 'third' }, 'GET', `/callbacks/${foreign}`)).toMatchObject({
    status: 404,
  })
  expect(await ask({ ...acme, tenant: 'third' }, 'POST', `/callbacks/${foreign}/resend`, {})).toMatchObject({
    status: 404,
  })
})
