// millrace start as a process: it serves on the loopback address, runs a worker beside, refuses what is not safe, and stops cleanly.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { get } from 'node:https'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { selfSigned } from '../../test/certificate.ts'
import { type Caller, openFolder, programFile, sdkAddress } from '../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { type Program, startCompiled } from '../../test/program.ts'
import { openSilentServer } from '../../test/silent-server.ts'
import { standardHeaders } from '../../test/webhook-sender.ts'
import { migrate } from '../db/migrate.ts'
import { startEmbeddedPostgres } from '../embedded/server.ts'

const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
const environment = {
  MILLRACE_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
  MILLRACE_SERVER_SECRET: randomBytes(32).toString('base64'),
}
let database: TestDatabase
let project: Caller

beforeAll(async () => {
  database = await createTestDatabase()
  project = openFolder({ DATABASE_URL: database.url, ...environment })
  project.write(
    'millrace.config.ts',
    `
import { defineConfig, pipeline, webhook } from ${JSON.stringify(sdkAddress)}
const echo = pipeline('echo').step('say', ({ input }) => input)
export default defineConfig({
  pipelines: [echo],
  triggers: [webhook('people', { provider: 'standard', secret: 'hooks/people', pipeline: echo })],
})
`,
  )
  await project.callWithInput(secret, 'secret', 'set', 'hooks/people')
})
afterAll(async () => {
  project.close()
  await database.close()
})

/** Starts it on a free port, and answers with its address once it serves. */
function started(...args: string[]): Promise<{ program: Program; address: string }> {
  return startedIn(environment, ...args)
}

async function startedIn(
  variables: Record<string, string | undefined>,
  ...args: string[]
): Promise<{ program: Program; address: string }> {
  const config = `${project.folder}/millrace.config.ts`
  const program = startCompiled(
    programFile,
    ['start', '--port', '0', '--json', '--config', config, ...args],
    { DATABASE_URL: database.url, ...variables },
  )
  const line = await until('it serves', () => {
    if (program.child.exitCode !== null) throw new Error(program.printed())
    return program
      .output()
      .split('\n')
      .slice(0, -1)
      .find((one) => one.includes('"address"'))
  })
  return { program, address: (JSON.parse(line) as { address: string }).address }
}

function deliver(address: string): Promise<Response> {
  const body = '{"name":"Ada"}'
  return fetch(`${address}/webhooks/people`, {
    method: 'POST',
    body,
    headers: standardHeaders(body, { id: 'one', secret }),
  })
}

test('JQ-24 one process serves API, webhooks and health, runs a worker beside, and stops with SIGTERM', async () => {
  const { program, address } = await started('--workers')
  try {
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await (await fetch(`${address}/health/live`)).json()).toEqual({ status: 'live' })
    expect(await (await fetch(`${address}/health/ready`)).json()).toEqual({ status: 'ready' })
    expect((await fetch(`${address}/runs`)).status).toBe(401)
    await until('who started it gets the link of the first admin', () =>
      program.printed().includes('There is no admin yet'),
    )
    expect((await deliver(address)).status).toBe(202)
    await until(
      'the worker beside runs what the webhook started',
      async () => (await database.query(`select from millrace.run where state = 'completed'`)).length === 1,
    )
    const health = await (await fetch(`${address}/health`)).json()
    expect(health).toMatchObject({ status: 'green', db_connected: true, workers: 1, queue_depth: 0 })
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
    expect(await database.query(`select from millrace.worker where state <> 'gone'`)).toEqual([])
  } finally {
    await program.kill()
  }
})

test('who asks again waits for no step, and an embedded database still ends with it', async () => {
  const folder = openFolder(environment)
  const directory = path.join(folder.folder, '.millrace')
  const server = await startEmbeddedPostgres({ directory })
  await migrate({ connectionString: server.url })
  const slow = folder.write(
    'millrace.config.ts',
    `
import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}
const slow = pipeline('slow').step('say', async () => {
  console.log('it runs')
  await new Promise((resolve) => setTimeout(resolve, 600_000))
})
export default defineConfig({ pipelines: [slow] })
`,
  )
  const program = startCompiled(programFile, ['start', '--port', '0', '--workers', '--config', slow], {
    DATABASE_URL: undefined,
    MILLRACE_DATABASE_URL: undefined,
    ...environment,
  })
  try {
    await until('the worker serves', () => program.printed().includes('The worker serves slow'))
    await folder.call('run', 'start', 'slow', '1')
    await until('it runs', () => program.printed().includes('it runs'))
    await server.release()
    // The second counts, half a second after the first; none may come between the end of its work and its own.
    const asking = setInterval(() => program.child.kill('SIGTERM'), 700)
    expect(await program.ended).toBe(1)
    clearInterval(asking)
    expect(fs.existsSync(path.join(server.directory, 'data', 'postmaster.pid'))).toBe(false)
  } finally {
    await program.kill()
    await server.release()
    folder.close()
  }
}, 60_000)

test('who asks before it serves is not kept waiting for a database that says nothing', async () => {
  const silent = await openSilentServer()
  const program = startCompiled(
    programFile,
    ['start', '--port', '0', '--config', `${project.folder}/millrace.config.ts`],
    { ...environment, DATABASE_URL: `postgres://ada@127.0.0.1:${silent.port}/app` },
  )
  try {
    await until('it asks for its database', () => silent.asked() > 0)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
  } finally {
    await program.kill()
    silent.close()
  }
})

test('without a secret it serves keys alone, and says that nobody can sign in', async () => {
  const { program, address } = await startedIn({ ...environment, MILLRACE_SERVER_SECRET: undefined })
  try {
    await until('it says so', () =>
      program.printed().includes('Nobody can sign in, since MILLRACE_SERVER_SECRET is not set'),
    )
    expect((await fetch(`${address}/runs`)).status).toBe(401)
  } finally {
    await program.kill()
  }
})

test('each part starts alone', async () => {
  for (const [part, runs, delivery] of [
    ['api', 401, 405],
    ['webhooks', 404, 202],
  ] as const) {
    const { program, address } = await started('--only', part)
    try {
      expect((await fetch(`${address}/runs`)).status).toBe(runs)
      expect((await deliver(address)).status).toBe(delivery)
      expect((await fetch(`${address}/health/live`)).status).toBe(200)
      program.child.kill('SIGINT')
      expect(await program.ended).toBe(0)
    } finally {
      await program.kill()
    }
  }
})

test('JQ-14 PP-S9 on an address that others reach it refuses to start without TLS or a declared proxy', async () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'name.invalid'])
    expect(await project.call('start', '--host', host, '--port', '0')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('server.trustedProxies') as string,
    })
  // Declared, it would: here there is only no such address.
  expect(
    await project.call('start', '--host', '192.0.2.1', '--port', '0', '--trusted-proxy', '192.0.2.0/24'),
  ).toMatchObject({ status: 2, stderr: expect.stringContaining('Nothing can listen') as string })
})

test('JQ-14 where people are to sign in and there is no secret, it does not start', async () => {
  const own = openFolder({ DATABASE_URL: database.url })
  own.write(
    'millrace.config.ts',
    `import { defineConfig } from ${JSON.stringify(sdkAddress)}\nexport default defineConfig({ pipelines: [], server: { people: {} } })\n`,
  )
  try {
    expect(await own.call('start', '--port', '0')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('MILLRACE_SERVER_SECRET') as string,
    })
  } finally {
    own.close()
  }
})

test('with a certificate it starts on every address, over TLS, and a file that is not there is named', async () => {
  const { cert, key } = selfSigned()
  const own = openFolder({ DATABASE_URL: database.url })
  const write = (certificate: string) =>
    own.write(
      'millrace.config.ts',
      `import { defineConfig } from ${JSON.stringify(sdkAddress)}
export default defineConfig({ pipelines: [], server: { host: '0.0.0.0', tls: { certificate: '${certificate}', key: 'key.pem' } } })`,
    )
  own.write('cert.pem', cert.toString())
  own.write('key.pem', key.toString())
  const config = write('cert.pem')
  const { program, address } = await started('--config', config)
  try {
    expect(address).toMatch(/^https:\/\/0\.0\.0\.0:\d+$/)
    const { port } = new URL(address)
    const status = await new Promise((resolve, reject) => {
      const asked = get(
        { host: '127.0.0.1', port, path: '/metrics', rejectUnauthorized: false },
        (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        },
      )
      asked.on('error', reject)
    })
    // PP-S9: it listens for others too, so that nobody is local.
    expect(status).toBe(401)
  } finally {
    await program.kill()
  }
  write('nowhere.pem')
  expect(await own.call('start', '--port', '0')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('server.tls: nowhere.pem') as string,
  })
  own.close()
})

test('it refuses a port that is taken, a proxy that is no address, and a database without the schema', async () => {
  const { program, address } = await started('--only', 'webhooks')
  try {
    const { port } = new URL(address)
    expect(await project.call('start', '--port', port)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('EADDRINUSE') as string,
    })
    expect(await project.call('start', '--trusted-proxy', 'proxy')).toMatchObject({ status: 2 })
  } finally {
    await program.kill()
  }
})
