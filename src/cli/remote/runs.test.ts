// Runs over HTTP where a server answers otherwise than its database would.
import { afterAll, expect, test } from 'vitest'
import { type Caller, openFolder, sdkAddress } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { z } from 'zod'
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

test('an edited input and an artifact are the business of the server: no configuration of here is asked, or has to load', async () => {
  const greet = pipeline('remote-greet', {
    input: z.object({ name: z.string(), polite: z.boolean().optional() }),
  }).step('say', async ({ input, artifacts }) => {
    await artifacts.write('said.txt', `hello ${input.name}`)
    return input.polite ?? null
  })
  const client = opened.client()
  await opened.worker({ pipelines: [greet] })
  const { run } = await client.start(greet, { name: 'Ann' })
  await client.run(run!.id).result()
  const { url } = await serveApi({ ann: { role: 'admin' } }, { pipelines: [greet] })
  const remote = openFolder({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  folders.push(remote)
  // Of another branch, where the input has another form.
  remote.write(
    'millrace.config.ts',
    `import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}
import { z } from ${JSON.stringify(import.meta.resolve('zod'))}
export default defineConfig({ pipelines: [pipeline('remote-greet', { input: z.strictObject({ id: z.number() }) }).step('say', () => 1)] })
`,
  )
  const edited = await remote.call(
    'run',
    'rerun',
    run!.id,
    '--input',
    '{"name":"Bea","polite":true}',
    '--json',
  )
  expect(edited).toMatchObject({ status: 0, stderr: '' })
  const made = (JSON.parse(edited.stdout) as { run: string }).run
  expect(await client.run(made).result()).toBe(true)
  const refused = await remote.call('run', 'rerun', run!.id, '--input', '{"id":7}')
  expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining('name') })

  remote.write('millrace.config.ts', "throw new Error('it does not load')")
  expect(await remote.call('run', 'rerun', run!.id, '--input', '{"name":"Cia"}')).toMatchObject({ status: 0 })
  const got = await remote.call('artifact', 'get', run!.id, 'said.txt', '--output', 'said.txt')
  expect(got).toMatchObject({ status: 0, stdout: expect.stringContaining('9 bytes') })
})
