// Commands over HTTP by keys that may not do all: what is done is told as done.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const serveApi = servedApiOn(database)
const folders: { close(): void }[] = []
afterAll(() => {
  for (const folder of folders) folder.close()
})

const plain = pipeline('caller-plain').step('say', () => 1)

test('what a key may change and not read is changed and told, and no later question makes a failure of it', async () => {
  const client = opened.client()
  await client.start(plain, null)
  const { url } = await serveApi({
    bob: { role: 'operator', scopes: ['runs:start', 'runs:write', 'limits:write', 'triggers:write'] },
  })
  const folder = openFolder({ MILLRACE_URL: url, MILLRACE_KEY: 'bob' })
  folders.push(folder)

  const started = await folder.call('run', 'start', 'caller-plain', '1')
  expect(started).toMatchObject({ status: 0, stderr: '' })
  expect(started.stdout).toMatch(/^Started run \S+ of caller-plain\.\n/)
  const waited = await folder.call('run', 'start', 'caller-plain', '1', '--wait', '--json')
  expect(waited).toMatchObject({ status: 4, stderr: expect.stringContaining('not_allowed') })
  expect(JSON.parse(waited.stdout)).toMatchObject({ created: true, run_id: expect.any(String) })

  const limit = ['limit', 'set', 'slots', '--concurrency', '2', '--for', 'caller-plain']
  expect(await folder.call(...limit)).toEqual({
    status: 0,
    stdout: 'Limit slots is at revision 1: 2 at once, for caller-plain.\n',
    stderr: '',
  })
  const schedule = ['schedule', 'define', 'daily', 'caller-plain', '--every', '1d']
  expect(await folder.call(...schedule)).toEqual({
    status: 0,
    stdout: 'Schedule daily is at revision 1: it starts caller-plain.\n',
    stderr: '',
  })
  expect(JSON.parse((await folder.call(...schedule, '--json')).stdout)).toEqual({
    name: 'daily',
    pipeline: 'caller-plain',
    revision: 1,
  })

  const redrive = ['redrive', 'start', '--code', 'none', '--json']
  const ordered = await folder.call(...redrive)
  expect(ordered).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(ordered.stdout)).toMatchObject({ id: expect.any(String), total: 0 })
})
