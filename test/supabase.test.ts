// Supabase: what `migrate --files` writes and the rights in deploy, applied from zero as its command line does, by a login that is no superuser; then PostgREST's callers and the edge function.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { strongestRole } from '../src/db/acting.ts'
import type { Caller, Statement } from '../src/db/call.ts'
import { migrate } from '../src/db/migrate.ts'
import { connect } from '../src/sdk/client.ts'
import { pipeline } from '../src/sdk/pipeline.ts'
import type { PipelineDefinition } from '../src/sdk/pipeline-definition.ts'
import { apiOn } from './api.ts'
import { openFolder, sdkAddress, sourceFile } from './commands.ts'
import { deployText } from './deployment.ts'
import { type SupabaseProject, startSupabaseProject } from './supabase-project.ts'

let project: SupabaseProject
let heard: string[]
const folder = openFolder()
const migrations = 'supabase/migrations'

beforeAll(async () => {
  project = await startSupabaseProject()
  folder.write(`${migrations}/20990101000000_mine.sql`, 'create table public.mine (id int);')
  expect(await folder.call('migrate', '--files', migrations)).toMatchObject({ status: 0 })
  folder.write(`${migrations}/20990101000002_rights.sql`, deployText('supabase/rights.sql'))
  heard = await project.hear('pgrst', async () => {
    for (const file of fs.readdirSync(path.join(folder.folder, migrations)).sort())
      await project.push(fs.readFileSync(path.join(folder.folder, migrations, file), 'utf8'))
  })
  await project.query(`alter role millrace_edge password 'of-a-test'`)
}, 120_000)
afterAll(async () => {
  folder.close()
  await project.close()
})

const api = apiOn({
  get url() {
    return project.url
  },
})

test('the login that applied them may act as an admin, as servers and commands under it do', async () => {
  const caller: Caller = {
    call: <Row>({ text }: Statement, values: readonly unknown[]) =>
      project.query(text, [...values]) as Promise<Row[]>,
  }
  expect(await strongestRole(caller)).toBe('admin')
})

test('RR-15 the files of the folder apply from zero in their order, by a login that is no superuser, and PostgREST is told to read the schema again', async () => {
  expect(fs.readdirSync(path.join(folder.folder, migrations)).sort()).toEqual([
    '20990101000000_mine.sql',
    expect.stringMatching(/^20990101000001_millrace_\w+\.sql$/),
    '20990101000002_rights.sql',
  ])
  expect(heard).toContain('reload schema')
  expect(await migrate({ connectionString: project.url })).toMatchObject({
    applied: [],
    functions: 0,
    roles: { sql: '' },
  })
  expect(
    await project.query('select owner, owner_logs_in, triggers_off from millrace.audit_guards()'),
  ).toEqual([{ owner: 'millrace_trail', owner_logs_in: false, triggers_off: [] }])
  const again = await folder.call('migrate', '--files', migrations)
  expect(again.stdout).toContain('Nothing to write')
  expect(fs.readdirSync(path.join(folder.folder, migrations))).toHaveLength(3)
})

const steering = [
  'pause_run(run_id => $1)',
  'resume_run(run_id => $1)',
  'cancel_run(run_id => $1)',
  `start_redrive(filter => jsonb_build_object('runs', jsonb_build_array($1::text)))`,
]

test('PP-S2 nobody steers a run over PostgREST but with the secret key: neither the public key nor a person who has signed in, whatever the token claims', async () => {
  const client = connect({ database: project.url })
  const waits = pipeline('rest-waits').step('ask', () => 1)
  try {
    const { run } = await client.start(waits, null, { tenant: 'acme' })
    const claims = { sub: 'ann', app_metadata: { tenant_id: 'acme' }, roles: ['admin', 'millrace_operator'] }
    for (const call of [
      ...steering,
      `pause_pipeline(slug => 'rest-waits')`,
      `start_run(slug => 'rest-waits')`,
    ])
      for (const role of ['anon', 'authenticated'] as const) {
        const values = call.includes('$1') ? [run!.id] : []
        const asked = project.rest(role, `select * from millrace.${call}`, values, claims)
        await expect(asked, `${role}: ${call}`).rejects.toMatchObject({ code: '42501' })
      }
    expect(await project.rest('authenticated', 'select id from millrace.own_run', [], claims)).toEqual([
      { id: run!.id },
    ])
    await expect(project.rest('anon', 'select id from millrace.own_run')).rejects.toMatchObject({
      code: '42501',
    })
    for (const [call, answer] of [
      ['pause_run(run_id => $1) as done', true],
      ['resume_run(run_id => $1) as done', true],
      ['cancel_run(run_id => $1) as done', true],
    ] as const)
      expect(await project.rest('service_role', `select millrace.${call}`, [run!.id])).toEqual([
        { done: answer },
      ])
  } finally {
    await client.close()
  }
})

test('what an agent asked for is not approved over PostgREST, where nobody would carry it out: it stays open, and may be rejected', async () => {
  const id = '01980000-0000-7000-8000-000000000001'
  const asker = { id: 'key-1', name: 'helper', tenant: null, pipelines: null, run: null, payloads: false }
  await project.query(
    `select millrace.ask_agent_request($1, 'cancelRun', '{}', sha256('cancel'), null, $2, null, null, null)`,
    [id, JSON.stringify(asker)],
  )
  const approve = () => project.rest('service_role', 'select millrace.approve_agent_request(id => $1)', [id])
  await expect(approve()).rejects.toMatchObject({ code: '42501' })
  const state = async () => {
    const [row] = await project.query('select state from millrace.agent_request where id = $1', [id])
    return row
  }
  expect(await state()).toEqual({ state: 'open' })
  await project.rest('service_role', 'select millrace.reject_agent_request(id => $1)', [id])
  expect(await state()).toEqual({ state: 'rejected' })
})

test('PP-S2 over PostgREST anon can call nothing of Millrace, and a person who has signed in two functions', async () => {
  const callable = (role: string) =>
    project.query(
      `select p.proname::text as name from pg_proc p
        where p.pronamespace = 'millrace'::regnamespace and has_schema_privilege($1, 'millrace', 'usage') and has_function_privilege($1, p.oid, 'execute') order by 1`,
      [role],
    )
  expect(await callable('anon')).toEqual([])
  expect(await callable('authenticated')).toEqual([
    { name: 'current_tenant' },
    { name: 'decide_own_approval' },
  ])
})

test('PP-S2 over HTTP a viewer is refused to pause, resume, cancel and redrive, and nobody is asked to sign in', async () => {
  const { ask } = await api()
  const id = '01980000-0000-7000-8000-000000000000'
  const verbs = [`/runs/${id}/pause`, `/runs/${id}/resume`, `/runs/${id}/cancel`, '/redrives']
  for (const verb of verbs) {
    expect([verb, (await ask({ role: 'viewer' }, 'POST', verb, {})).status]).toEqual([verb, 403])
    expect([verb, (await ask(null, 'POST', verb, {})).status]).toEqual([verb, 401])
  }
})

test('the edge function of deploy runs http steps with the rights of a worker alone', async () => {
  const server = http.createServer((request, response) => {
    request.resume()
    response.end('written')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/letters`
  const secret = randomBytes(24).toString('hex')
  vi.stubEnv('MILLRACE_DATABASE_URL', project.addressOf('millrace_edge'))
  vi.stubEnv('MILLRACE_WORKER_SECRET', secret)
  vi.stubEnv('LETTER_SECRET', secret)
  let handler: ((request: Request) => Promise<Response>) | undefined
  vi.stubGlobal('Deno', {
    env: { get: (name: string) => process.env[name] },
    serve: (given: typeof handler) => (handler = given),
  })
  const client = connect({ database: project.url })
  try {
    const { pipelines } = await loadFunction(url)
    const { run } = await client.start(pipelines[0]!, null)
    const address = 'https://project.supabase.co/functions/v1/millrace-worker'
    expect((await handler!(new Request(address, { method: 'POST' }))).status).toBe(401)
    const headers = { authorization: `Bearer ${secret}` }
    const answer = await handler!(new Request(address, { method: 'POST', headers }))
    expect(await answer.json()).toMatchObject({ ended: 'idle' })
    expect(await client.run(run!.id).result()).toBe('written')
  } finally {
    vi.unstubAllEnvs()
    vi.unstubAllGlobals()
    await client.close()
    server.closeAllConnections()
    server.close()
  }
})

/** The files as a project has them, with its own endpoint, and the package from its sources. */
async function loadFunction(endpoint: string): Promise<{ pipelines: readonly PipelineDefinition[] }> {
  const copy = (file: string) =>
    folder.write(
      `supabase/${file}`,
      deployText(`supabase/${file}`)
        .replace("'millrace/worker'", JSON.stringify(sourceFile('worker/index.ts')))
        .replace("'millrace'", JSON.stringify(sdkAddress))
        .replaceAll(/https:\/\/example\.org\/\w+/g, endpoint),
    )
  const pipelines = copy('functions/_shared/pipelines.ts')
  await import(copy('functions/millrace-worker/index.ts'))
  return (await import(pipelines)) as { pipelines: readonly PipelineDefinition[] }
}
