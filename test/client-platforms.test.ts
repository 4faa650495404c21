// The client where there is no Node: bundled as it is published, in Chromium, and in a sandbox that has the web's APIs and nothing else.
import { EdgeVM } from '@edge-runtime/vm'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { launchBrowser } from './browser.ts'
import { servedApiOn } from './http.ts'
import { openMillrace } from './millrace.ts'
import { pipeline } from '../src/sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const serveApi = servedApiOn(database)
const sweep = pipeline('platform-sweep').step('search', () => 1)

/** In a bundle for browsers a built-in of Node would be an error. */
async function bundled(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `export * from './src/client/index.ts'`,
      resolveDir: new URL('..', import.meta.url).pathname,
    },
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'millrace',
    write: false,
  })
  // The schemas of all operations would weigh ten times as much.
  expect(outputFiles[0]!.contents.length).toBeLessThan(100_000)
  return outputFiles[0]!.text
}

/** Ran there: starts a run, lists it, cancels it, and is refused a second time. */
const acts = `async (url) => {
  const client = millrace.connectHttp({ url, key: 'ann' })
  const { run } = await client.startRun({ body: { pipeline: 'platform-sweep', input: { state: 'TX' } } })
  const found = []
  for await (const one of millrace.each(client.listRuns, { query: { limit: 1 } })) found.push(one.id)
  const { changed } = await client.cancelRun({ params: { run: run.id }, body: {} })
  const refused = await client.cancelRun({ params: { run: run.id }, body: {}, ifRevision: 9 }).catch((error) => error.code)
  return { listed: found.includes(run.id), changed, refused, node: typeof process + typeof Buffer }
}`
const done = { listed: true, changed: true, refused: 'revision_conflict' }

test('the client works in Chromium, out of a page that its own server serves', async () => {
  await opened.client().start(sweep, null)
  const { url } = await serveApi(
    { ann: { role: 'operator' } },
    { page: `<script>${await bundled()}</script>` },
  )
  const browser = await launchBrowser()
  try {
    const page = await browser.newPage()
    await page.goto(`${url}/page`)
    expect(await page.evaluate(`(${acts})(${JSON.stringify(url)})`)).toEqual({
      ...done,
      node: 'undefinedundefined',
    })
  } finally {
    await browser.close()
  }
}, 60_000)

test('the client works where there are the APIs of the web and none of Node', async () => {
  await opened.client().start(sweep, null)
  const { url } = await serveApi({ ann: { role: 'operator' } })
  const sandbox = new EdgeVM()
  sandbox.evaluate(await bundled())
  const acted = sandbox.evaluate<Promise<object>>(`(${acts})(${JSON.stringify(url)})`)
  expect(await acted).toMatchObject({ ...done, node: 'undefinedundefined' })
}, 60_000)
