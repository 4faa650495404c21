// Runs that are exported begin again elsewhere, without their credentials; and runs that are watched until they end.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'
import type { RunBundle } from './bundle.ts'

const { database, opened } = await openMillrace()
const serveApi = servedApiOn(database)
const folders = new Set<Caller>()
afterEach(() => {
  for (const folder of folders) folder.close()
  folders.clear()
})

const sweep = pipeline('export-sweep', {
  input: z.object({ state: z.string(), apiKey: z.string().optional() }),
  retry: { attempts: 1 },
})
  .step('search', ({ input, log }) => {
    log('it searches', { token: 'canary-7', rows: 3 })
    if (input.state === 'fail') throw new Error('it was told to fail')
    return input.state
  })
  .step('store', ({ steps }) => steps.search)

const charge = pipeline('export-charge', {
  input: z.object({ customer: z.object({ email: z.string() }), apiKey: z.string() }),
  key: 'customer.email',
  retry: { attempts: 1 },
})
  .step('look', { tx: true }, async ({ tx, progress, metric, input }) => {
    progress(1, 2, `looking for ${input.customer.email}`)
    metric('found', 1, { customer: input.customer.email })
    await tx.query('insert into export_user_session values (1)')
  })
  .step('pay', ({ input }): string => {
    throw new Error(`${input.customer.email} has no card`)
  })

function folderWith(environment: Record<string, string>): Caller {
  const folder = openFolder(environment)
  folders.add(folder)
  return folder
}

test('a run that is exported over HTTP begins again in dev with its input, and no credential went along', async () => {
  await opened.worker({ pipelines: [sweep] })
  const client = opened.client()
  const { run } = await client.start(sweep, { state: 'TX', apiKey: 'canary-8' }, { headers: { trace: 'a' } })
  await client.run(run!.id).result()
  const { url } = await serveApi({ ann: { role: 'viewer' } })
  const remote = folderWith({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  const local = folderWith({ DATABASE_URL: database.url })

  const file = local.write('run.json', 'another one, which everybody may read')
  fs.chmodSync(file, 0o644)
  expect(await remote.call('run', 'export', run!.id, '--output', file)).toMatchObject({ status: 0 })
  expect(fs.statSync(file).mode & 0o777).toBe(0o600)
  const text = fs.readFileSync(file, 'utf8')
  expect(text).not.toContain('canary')
  const bundle = JSON.parse(text) as RunBundle
  expect(bundle).toMatchObject({ input: { state: 'TX', apiKey: '[masked]' }, output: 'TX' })
  expect(bundle.masked).toContain('input.apiKey')

  const again = await local.call('run', 'import', 'run.json', '--wait', '--json')
  expect(again.status).toBe(0)
  expect(again.stderr).toContain('input.apiKey')
  const begun = JSON.parse(again.stdout) as { run_id: string }
  const [row] = await database.query<{ input: unknown; headers: unknown }>(
    'select input, headers from millrace.run where id = $1',
    [begun.run_id],
  )
  expect(row).toEqual({
    input: { state: 'TX', apiKey: '[masked]' },
    headers: { trace: 'a', 'imported-from': run!.id },
  })

  local.write('bare.json', (await local.call('run', 'export', run!.id, '--without-values')).stdout)
  expect(JSON.stringify(fs.readFileSync(path.join(local.folder, 'bare.json'), 'utf8'))).not.toContain('TX')
  expect(await local.call('run', 'import', 'bare.json')).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/\/bare\.json was exported without its input/),
  })
  local.write('other.json', '[1]')
  expect(await local.call('run', 'import', 'other.json')).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/\/other\.json holds no run as millrace run export writes it/),
  })
  expect(await local.call('run', 'import', 'none.json')).toMatchObject({ status: 2 })
})

test('what the account of a run repeats of its input is masked as that is, and left out with the values', async () => {
  await database.query('create table export_user_session (id int)')
  await opened.worker({ pipelines: [charge] })
  const client = opened.client()
  const before = { customer: { email: 'ann@canary' }, apiKey: 'live-1' }
  const after = { customer: { email: 'bea@canary' }, apiKey: 'live-2' }
  const { run } = await client.start(charge, before)
  await client
    .run(run!.id)
    .result()
    .catch(() => undefined)
  const again = await client.run(run!.id).rerun({ pipeline: charge, input: after })
  await client
    .run(again.run!.id)
    .result()
    .catch(() => undefined)
  const caller = folderWith({ DATABASE_URL: database.url })
  const exported = async (...options: string[]): Promise<RunBundle> =>
    JSON.parse((await caller.call('run', 'export', again.run!.id, ...options)).stdout) as RunBundle

  const clear = await exported()
  expect(JSON.stringify(clear)).not.toContain('live-')
  expect(clear.account.lineage.of?.difference).toEqual([
    { path: ['apiKey'], before: '[masked]', after: '[masked]' },
    { path: ['customer', 'email'], before: 'ann@canary', after: 'bea@canary' },
  ])
  expect(clear.account.run.key).toBe('bea@canary')
  // A table's name is no credential's.
  const looked = clear.account.attempts.listed.find(({ step }) => step === 'look')
  expect(looked?.writes).toEqual({ 'public.export_user_session': { inserted: 1, updated: 0, deleted: 0 } })

  const asked = await exported('--mask', 'input.customer', '--mask', 'account.run.key')
  expect(asked.input).toEqual({ customer: { email: '[masked]' }, apiKey: '[masked]' })
  expect(asked.account.run.key).toBe('[masked]')
  expect(JSON.stringify(asked.account.lineage)).not.toContain('canary')
  expect(asked.masked).toContain('account.lineage.of.difference[1].before')

  const bare = await exported('--without-values')
  expect(JSON.stringify(bare)).not.toMatch(/canary|live-/)
  expect(bare.account.run).toMatchObject({ state: 'failed', key: null, error: { step: 'pay' } })

  expect(await caller.call('run', 'export', again.run!.id, '--mask', 'input.custmer')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining('nothing at input.custmer'),
  })
})

test('a run is watched until it ends, from the database and over HTTP, with the exit status that says how', async () => {
  await opened.worker({ pipelines: [sweep] })
  const client = opened.client()
  const { url } = await serveApi({ ann: { role: 'viewer' } })
  for (const environment of [{ DATABASE_URL: database.url }, { MILLRACE_URL: url, MILLRACE_KEY: 'ann' }]) {
    const caller = folderWith(environment)
    const done = (await client.start(sweep, { state: 'NM' })).run!.id
    const watched = await caller.call('run', 'watch', done)
    expect(watched).toMatchObject({ status: 0, stderr: '' })
    expect(watched.stdout).toContain(`run ${done} completed\n`)
    expect(watched.stdout).toContain('step store completed\n')
    const failed = (await client.start(sweep, { state: 'fail' })).run!.id
    expect(await caller.call('run', 'watch', failed)).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('it was told to fail'),
    })
    const drawn = await caller.callOnTerminal('run', 'watch', done)
    expect(drawn.stdout).toContain('\u001b[J')
    expect(drawn.stdout).toContain('export-sweep')
  }
})
