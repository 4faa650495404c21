// Artifacts over HTTP: their bytes as they were written, for whoever may see payloads, and nothing that a browser would run.
import { expect, test } from 'vitest'
import { apiOn } from '../../../test/api.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)

const page = '<script>document.title = "run"</script>'
const writing = pipeline('api-artifacts').step('write', async ({ artifacts }) => {
  await artifacts.write('report "für" alle.html', page, { type: 'text/html' })
})

async function written(): Promise<string> {
  await opened.worker({ pipelines: [writing] })
  const client = opened.client()
  const { run } = await client.start(writing, null)
  await client.run(run!.id).result()
  return run!.id
}

test('JQ-17 an artifact is served as an attachment whose type is not guessed and whose scripts do not run', async () => {
  const { ask, server } = await openApi()
  const id = await written()
  const ann = { name: 'ann@example.org' } as const
  const { body } = await ask(ann, 'GET', `/runs/${id}/artifacts`)
  expect(body.items).toMatchObject([
    { artifact: 'report "für" alle.html', type: 'text/html', size: page.length },
  ])
  expect(body.items[0]).not.toHaveProperty('location')

  const path = `/runs/${id}/artifacts/${encodeURIComponent(body.items[0].artifact)}`
  const response = await server.fetch(
    new Request(`http://millrace.test${path}`, { headers: { 'x-test-actor': ann.name } }),
  )
  expect(await response.text()).toBe(page)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/html',
    'content-length': String(page.length),
    'x-content-type-options': 'nosniff',
    'content-security-policy': expect.stringContaining('sandbox'),
    'content-disposition': `attachment; filename="report__f_r__alle.html"; filename*=UTF-8''report%20%22f%C3%BCr%22%20alle.html`,
  })
})

test('an artifact is for whoever may see payloads, of the run that it belongs to', async () => {
  const { ask } = await openApi()
  const id = await written()
  const path = `/runs/${id}/artifacts/report`
  expect(await ask({ payloads: false }, 'GET', path)).toMatchObject({ status: 403 })
  expect(await ask({ tenant: 'other', kind: 'key' }, 'GET', path)).toMatchObject({
    status: 404,
    body: { code: 'not_found' },
  })
  expect(await ask({}, 'GET', path)).toMatchObject({ status: 404, body: { code: 'artifact_unknown' } })
})
