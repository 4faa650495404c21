// millrace artifact get, run artifacts, cache and lock: what runs keep is listed, read and removed from the command line.
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { Arrival, openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test('artifacts are listed and read, to stdout and into a file that is there only if its bytes are right', async () => {
  const writing = pipeline('writing').step('write', ({ artifacts }) =>
    artifacts.write('report.txt', 'a report, größer', { type: 'text/plain' }),
  )
  await opened.worker({ pipelines: [writing] })
  const client = opened.client()
  const { run } = await client.start(writing, null)
  await client.run(run!).result()
  const listed = await folder.call('run', 'artifacts', run!.id)
  expect(listed.stderr).toBe('')
  expect(listed.stdout).toMatch(/report\.txt +text\/plain +18 +write/)
  expect(JSON.parse((await folder.call('run', 'artifacts', run!.id, '--json')).stdout)).toMatchObject([
    { name: 'report.txt', size: 18 },
  ])
  expect(await folder.call('artifact', 'get', run!.id, 'report.txt')).toMatchObject({
    status: 0,
    stdout: 'a report, größer',
  })
  expect((await folder.call('artifact', 'get', run!.id, 'report.txt', '--output', 'r.txt')).stdout).toContain(
    '18 bytes',
  )
  expect(fs.readFileSync(path.join(folder.folder, 'r.txt'), 'utf8')).toBe('a report, größer')
  expect((await folder.call('artifact', 'get', run!.id, 'report.txt', '--json')).status).toBe(2)
  const missing = await folder.call('artifact', 'get', run!.id, 'other', '--json', '--output', 'x')
  expect(JSON.parse(missing.stderr).error.code).toBe('artifact_unknown')
  await database.query('update millrace.artifact_chunk set bytes = set_byte(bytes, 0, 1) where run_id = $1', [
    run!.id,
  ])
  const corrupt = await folder.call('artifact', 'get', run!.id, 'report.txt', '--output', 'bad.txt')
  expect(corrupt).toMatchObject({ status: 1 })
  expect(fs.readdirSync(folder.folder).filter((name) => name.startsWith('bad'))).toEqual([])
})

test('cached values are listed and removed', async () => {
  const caching = pipeline('caching').step('read', async ({ cache }) => {
    for (const key of ['eu-1', 'eu-2', 'us-1']) await cache(key, { ttl: '1h' }, () => key)
  })
  await opened.worker({ pipelines: [caching] })
  const client = opened.client()
  const { run } = await client.start(caching, null)
  await client.run(run!).result()
  const listed = await folder.call('cache', 'list', '--scope', 'caching')
  expect(listed.stdout).toContain('eu-1')
  expect(listed.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
  expect((await folder.call('cache', 'invalidate', '--prefix', 'eu-')).stdout).toBe(
    '2 values were removed from the cache.\n',
  )
  expect(JSON.parse((await folder.call('cache', 'list', '--json')).stdout)).toMatchObject([{ key: 'us-1' }])
  expect((await folder.call('cache', 'invalidate')).status).toBe(2)
  expect((await folder.call('cache', 'list', '--key', 'nothing')).stdout).toBe(
    'There is no such value in the cache.\n',
  )
})

test('a held lock is listed with its holder', async () => {
  const [held, goOn] = [new Arrival(), new Arrival()]
  const locking = pipeline('locking').step('hold', ({ lock }) =>
    lock('stripe', async () => {
      held.arrive()
      await goOn.come
    }),
  )
  expect((await folder.call('lock', 'list')).stdout).toBe('No lock is held.\n')
  await opened.worker({ pipelines: [locking] })
  const client = opened.client()
  const { run } = await client.start(locking, null)
  await held.come
  const listed = await folder.call('lock', 'list')
  expect(listed.stdout).toMatch(/stripe +held, \d+ .* hold +/)
  expect(listed.stdout).toContain(run!.id)
  expect((await folder.call('lock', 'list', '--name', 'other')).stdout).toBe('No lock is held.\n')
  goOn.arrive()
  await client.run(run!).result()
})
