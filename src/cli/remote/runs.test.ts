// Runs over HTTP where a server answers otherwise than its database would.
import { afterAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'
import type { RunBundle } from '../run/bundle.ts'

const { database, opened } = await openMillrace()
const serveApi = servedApiOn(database)
const folders: Caller[] = []
afterAll(() => {
  for (const folder of folders) folder.close()
})

test('an output that a server does not give at once is told as left out, and never as null', async () => {
  const wide = pipeline('remote-wide')
    .step('list', () => Array.from({ length: 10 }, (_, n) => n))
    .map('each', { over: 'list' }, () => 'x'.repeat(900_000))
  const client = opened.client()
  await opened.worker({ pipelines: [wide] })
  const { run } = await client.start(wide, null)
  expect(await client.run(run!.id).ended()).toBe('completed')
  const { url } = await serveApi({ ann: { role: 'viewer' } })
  const remote = openFolder({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  folders.push(remote)

  const shown = await remote.call('run', 'show', run!.id)
  expect(shown.stdout).toContain('output    more than 8 MiB')
  expect(JSON.parse((await remote.call('run', 'show', run!.id, '--json')).stdout)).toMatchObject({
    output: null,
    output_left_out: true,
  })
  const exported = await remote.call('run', 'export', run!.id)
  expect(exported.stderr).toContain('Without its output')
  expect(JSON.parse(exported.stdout) as RunBundle).toMatchObject({ output: null, output_left_out: true })
})
