// millrace pipeline inventory: a pipeline that is never called and one that always fails are seen at a glance.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test('RR-12 the inventory names each pipeline with its last run, how that ended, and its triggers', async () => {
  expect((await folder.call('pipeline', 'inventory')).stdout).toContain('No pipeline is registered yet')
  await registerPipeline(database, 'idle', chain('only'))
  const failing = pipeline('failing').step('only', { retry: { attempts: 1 } }, () => {
    throw new Error('boom')
  })
  const working = pipeline('working').step('only', () => 1)
  await opened.worker({ pipelines: [failing, working], slots: 2 })
  const client = opened.client()
  await client.run((await client.start(working, null)).run!.id).result()
  const failed = await client.start(failing, null)
  await expect(client.run(failed.run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  await client.schedules.define('nightly', { pipeline: 'failing', cron: '0 3 * * *' })
  await client.schedules.pause('nightly')

  const { stdout, status } = await folder.call('pipeline', 'inventory')
  expect(status).toBe(0)
  const lines = stdout.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | ').trim())
  expect(lines[0]).toBe('pipeline | verdict | last run | begun | started by')
  expect(lines[1]).toMatch(/^failing \| always failed \| failed \| .* \| schedule nightly \(paused\)$/)
  expect(lines[2]).toBe('idle | never called | none | nothing so far')
  expect(lines[3]).toMatch(/^working \| works \| completed \| .* \| sdk$/)
  const told = JSON.parse((await folder.call('pipeline', 'inventory', '--json')).stdout) as object[]
  expect(told).toMatchObject([
    {
      slug: 'failing',
      last_run_id: failed.run!.id,
      last_run_state: 'failed',
      triggers: [{ name: 'nightly' }],
    },
    { slug: 'idle', last_run_id: null },
    { slug: 'working', verdict: 'works' },
  ])
})
