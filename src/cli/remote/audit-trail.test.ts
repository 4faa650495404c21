// The audit trail over HTTP: an export that leaves nothing out, whatever an entry holds.
import { afterAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const serveApi = servedApiOn(database)
const folders: Caller[] = []
afterAll(() => {
  for (const folder of folders) folder.close()
})

test('an export holds an entry in whose reason a line ends, and all that comes after it, and adds up', async () => {
  const client = opened.client()
  await client.start(
    pipeline('trail-lines').step('say', () => 1),
    null,
  )
  for (const reason of ['x\u2028y', 'x\u2029y', 'plain']) {
    await client.pausePipeline('trail-lines', reason)
    await client.resumePipeline('trail-lines')
  }
  const { url } = await serveApi({ ann: { role: 'admin' } })
  const local = openFolder({ DATABASE_URL: database.url })
  const remote = openFolder({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  folders.push(local, remote)

  const exported = await remote.call('audit-trail', 'export')
  expect(exported).toEqual(await local.call('audit-trail', 'export'))
  expect(exported.stdout).toContain('x\u2028y')
  const file = local.write('trail.jsonl', exported.stdout)
  expect(await local.call('audit-trail', 'verify', '--file', file)).toMatchObject({ status: 0 })
})
