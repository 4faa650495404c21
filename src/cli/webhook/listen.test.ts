// Webhooks on the command line: listened for, listed, looked at, replayed, and their secrets changed.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFolder, programFile, sdkAddress } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { until } from '../../../test/deadline.ts'
import { openProxy } from '../../../test/faults/proxy.ts'
import { startCompiled } from '../../../test/program.ts'
import { openSilentServer } from '../../../test/silent-server.ts'
import { standardHeaders } from '../../../test/webhook-sender.ts'

const MILLRACE_ENCRYPTION_KEYS = `k1:${randomBytes(32).toString('base64')}`
let database: TestDatabase
let folder: ReturnType<typeof openFolder>
let config: string

const configText = (map: string) => `
import { defineConfig, pipeline, webhook } from ${JSON.stringify(sdkAddress)}

const echo = pipeline('echo').step('say', ({ input }) => input)

export default defineConfig({
  pipelines: [echo],
  triggers: [webhook('people', { provider: 'standard', secret: 'hooks/people', pipeline: echo, map: ${map} })],
})
`

beforeAll(async () => {
  database = await createTestDatabase()
  folder = openFolder({ DATABASE_URL: database.url, MILLRACE_ENCRYPTION_KEYS })
  config = folder.write('millrace.config.ts', configText("() => { throw new Error('not today') }"))
})
afterAll(async () => {
  folder.close()
  await database.close()
})

test('FO-5 a webhook is listened for, its secret is shown once, and what came is listed, told and replayed', async () => {
  expect((await folder.call('webhook', 'list')).stdout).toBe('There is no webhook.\n')
  expect(await folder.call('webhook', 'show', 'people')).toMatchObject({ status: 4 })
  const program = startCompiled(
    programFile,
    ['webhook', 'listen', '--port', '0', '--json', '--config', config],
    {
      DATABASE_URL: database.url,
      MILLRACE_ENCRYPTION_KEYS,
    },
  )
  try {
    await until('it listens', () => program.output().includes('\n'))
    const { host, port } = JSON.parse(program.output().split('\n')[0]!) as { host: string; port: number }
    expect(host).toBe('127.0.0.1')
    const post = (body: string, headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${port}/webhooks/people`, { method: 'POST', body, headers })
    expect((await folder.call('webhook', 'show', 'people')).status).toBe(0)
    const unready = await post('{}', { 'content-type': 'application/json' })
    expect(unready.status).toBe(503)
    await until('it tells why', () => program.printed().includes('hooks/people'))
    const made = await folder.call('webhook', 'rotate', 'people')
    expect(made).toMatchObject({ status: 0, stderr: expect.stringContaining('shown this once') as string })
    const secret = made.stdout.trim()
    expect(secret).toMatch(/^whsec_/)
    const body = '{"name":"Ada"}'
    const send = () => post(body, standardHeaders(body, { id: 'msg_1', secret }))
    await until('the secret counts', async () => (await send()).status === 500)
    const listed = await folder.call('webhook', 'list')
    expect(listed.stdout).toMatch(/people +standard +echo +0 +1 +1 /)
    expect(listed.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
    const failed = await folder.call('webhook', 'deliveries', '--state', 'failed', '--json')
    const [delivery] = JSON.parse(failed.stdout) as Array<{ id: string; problem: string }>
    expect(delivery!.problem).toBe('not today')
    // What somebody's map has thrown may quote the delivery.
    await until('it tells which', () => program.printed().includes(`delivery=${delivery!.id}`))
    expect(program.printed()).toContain('webhook=people reason=map_failed')
    expect(program.printed()).not.toContain('not today')
    expect((await post(body, { 'content-type': 'application/json' })).status).toBe(401)
    const deliveries = await folder.call('webhook', 'deliveries')
    expect(deliveries.stdout).toMatch(/ failed .*\n +reason map_failed\n/)
    expect(deliveries.stdout).toMatch(/ refused .*\n +reason signature_missing\n/)
    expect(deliveries.stdout.split('\n').filter((line) => line.length > 80)).toEqual([])

    folder.write('millrace.config.ts', configText('({ json }) => json'))
    expect((await folder.call('webhook', 'replay', '--state', 'failed', '--dry-run')).stdout).toBe(
      '1 delivery would be replayed.\n',
    )
    const one = (id: string) => folder.call('webhook', 'replay', id, '--dry-run')
    expect((await one(delivery!.id)).stdout).toBe('1 delivery would be replayed.\n')
    expect(await one('01a1fc9e-5f80-77ff-8c73-f01c878af2ee')).toMatchObject({ status: 4 })
    expect(await folder.call('webhook', 'replay')).toMatchObject({ status: 2 })
    const replayed = await folder.call('webhook', 'replay', delivery!.id)
    expect(replayed).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('1 delivery replayed.') as string,
    })
    const told = await folder.call('webhook', 'delivery', delivery!.id)
    expect(told.stdout).toMatch(/state +failed: map_failed[^]*replays/)
    expect((await folder.call('webhook', 'replay', '--all')).stdout).toContain('0 deliveries replayed.')
    expect(await database.query('select input from millrace.run')).toEqual([{ input: { name: 'Ada' } }])
    // Answered by the replay already.
    expect((await send()).status).toBe(202)

    const shown = await folder.call('webhook', 'show', 'people')
    expect(shown.stdout).toContain('hooks/people')
    expect(`${listed.stdout}${shown.stdout}${failed.stdout}${told.stdout}`).not.toContain(secret)
    expect((await folder.call('webhook', 'revoke', 'people')).stdout).toContain('has no former secret')
    expect((await folder.call('webhook', 'rotate', 'people', '--overlap', '1h')).stderr).toContain(
      'counts for 1 h',
    )
    expect((await folder.call('webhook', 'revoke', 'people')).stdout).toContain('counts no more')
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
    expect(program.printed()).not.toContain(secret)
  } finally {
    await program.kill()
  }
})

test('a delivery whose reason is long is listed within 80 columns, and its reason is whole', async () => {
  const reason = 'definition_of_another_version_refused'
  await database.query(
    `insert into millrace.delivery (id, webhook, received_at, judged_at, tries, repeats, state, status, reason, headers)
       values (gen_random_uuid(), 'people', millrace.now(), millrace.now(), 1, 0, 'failed', 500, $1, '{}')`,
    [reason],
  )
  const { stdout } = await folder.call('webhook', 'deliveries')
  expect(stdout).toContain(reason)
  expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
})

test('FO-5 the secret of a webhook of the configuration can be made before anything listens', async () => {
  folder.write('early.config.ts', configText('({ json }) => json').replaceAll("'people'", "'early'"))
  const made = await folder.call('webhook', 'rotate', 'early', '--config', 'early.config.ts')
  expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/^whsec_/) as string })
  expect(await folder.call('webhook', 'rotate', 'nobody')).toMatchObject({ status: 4 })
})

test('who asks before it listens is not kept waiting for a database that says nothing', async () => {
  const silent = await openSilentServer()
  const program = startCompiled(programFile, ['webhook', 'listen', '--port', '0', '--config', config], {
    DATABASE_URL: `postgres://ada@127.0.0.1:${silent.port}/app`,
  })
  try {
    await until('it asks for its database', () => silent.asked() > 0)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
  } finally {
    await program.kill()
    silent.close()
  }
})

test('who asks twice waits neither for a request nor for its database', async () => {
  const proxy = await openProxy(database.url)
  const program = startCompiled(
    programFile,
    ['webhook', 'listen', '--port', '0', '--json', '--config', config],
    { DATABASE_URL: proxy.through(database.url), MILLRACE_ENCRYPTION_KEYS },
  )
  try {
    await until('it listens', () => program.output().includes('\n'))
    const { port } = JSON.parse(program.output().split('\n')[0]!) as { port: number }
    const isHeld = proxy.loseAnswerTo('select')
    const headers = { 'content-type': 'application/json' }
    fetch(`http://127.0.0.1:${port}/webhooks/people`, { method: 'POST', body: '{}', headers }).catch(() => {})
    await isHeld
    program.child.kill('SIGTERM')
    const isClosed = () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        () => false,
        () => true,
      )
    await until('it takes no more', isClosed)
    const closedAt = performance.now()
    await until('another request is none with the first', () => performance.now() - closedAt > 600)
    program.child.kill('SIGTERM')
    await until('it ends', () => program.child.exitCode !== null, 20_000)
    expect(await program.ended).toBe(1)
  } finally {
    await program.kill()
    await proxy.close()
  }
})

test('listening is refused without a webhook, on a port that is taken, and by a proxy that is no address', async () => {
  expect(await folder.call('webhook', 'listen', '--trusted-proxy', 'proxy')).toMatchObject({ status: 2 })
  expect(await folder.call('webhook', 'listen', '--host', '192.0.2.1', '--port', '0')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('Nothing can listen') as string,
  })
  folder.write(
    'millrace.config.ts',
    `import { defineConfig } from ${JSON.stringify(sdkAddress)}\nexport default defineConfig({ pipelines: [] })\n`,
  )
  expect(await folder.call('webhook', 'listen')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('no webhook') as string,
  })
})
