// Secrets as handlers read them: from our own table, the environment and AWS Secrets Manager, each read on record, and no value anywhere else.
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { asOther, openMillrace } from '../../test/millrace.ts'
import { workerOf } from '../../test/pipeline-worker.ts'
import { chain, claimOne, startRun } from '../../test/protocol.ts'
import { pipeline } from '../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const encryptionKeys = { k1: randomBytes(32).toString('base64') }

/** Every table in which the text stands. */
async function findInTables(text: string): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = 'millrace'::regnamespace and c.relkind = 'r'`,
  )
  const found: string[] = []
  for (const { name } of tables) {
    const rows = await database.query(
      `select 1 from millrace."${name}" t where position($1 in t::text) > 0 limit 1`,
      [text],
    )
    if (rows.length > 0) found.push(name)
  }
  return found
}

/** Speaks as much of the protocol of AWS Secrets Manager as a read needs: JSON 1.1, the target in a header, errors by their type. */
const aws = { secrets: new Map<string, { text: string; version: string; createdAt: number }>(), asked: 0 }
let server: Server
const variables = [
  'AWS_ENDPOINT_URL_SECRETS_MANAGER',
  'AWS_REGION',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'MILLRACE_TEST_SECRET',
]
beforeAll(async () => {
  server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      aws.asked++
      const { SecretId: id } = JSON.parse(Buffer.concat(parts).toString('utf8')) as { SecretId: string }
      const secret = aws.secrets.get(id)
      const isRead = request.headers['x-amz-target'] === 'secretsmanager.GetSecretValue'
      const isSigned = request.headers.authorization?.startsWith('AWS4-HMAC-SHA256') === true
      response.setHeader('content-type', 'application/x-amz-json-1.1')
      if (secret === undefined || !isRead || !isSigned) {
        response.statusCode = 400
        const type = secret === undefined ? 'ResourceNotFoundException' : 'InvalidRequestException'
        response.end(JSON.stringify({ __type: type, Message: 'There is no such secret.' }))
        return
      }
      const { text: SecretString, version: VersionId, createdAt: CreatedDate } = secret
      response.end(JSON.stringify({ Name: id, SecretString, VersionId, CreatedDate }))
    })
  })
  // So that connections are ended by the workers alone.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    MILLRACE_TEST_SECRET: 'from-the-environment',
  })
})
afterAll(() => {
  for (const name of variables) delete process.env[name]
  server.closeAllConnections()
  server.close()
})

const names = z.object({ names: z.array(z.string()) })
const lengths = pipeline('lengths', { input: names, retry: { attempts: 1 } }).step(
  'read',
  async ({ input, secret }) => {
    const found: number[] = []
    for (const name of input.names) found.push((await secret(name)).length)
    return found
  },
)

async function run(given: readonly string[], keys: Record<string, string> | undefined = encryptionKeys) {
  await opened.worker({ pipelines: [lengths], encryptionKeys: keys })
  const client = opened.client({ database: asOther(database.url), encryptionKeys: keys })
  const { run: started } = await client.start(lengths, { names: [...given] })
  return { id: started!.id, result: client.run<typeof lengths>(started!).result() }
}

const readsOf = (id: string) =>
  database.query(
    'select name, version, source, step, attempt from millrace.secret_read where run_id = $1 order by name',
    [id],
  )

test('JQ-33 a secret comes from our table, the environment or AWS Secrets Manager, and each read is on record with its version, never the value', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('mail/token', { value: 'first-value' })
  await secrets.rotate('mail/token', 'second-value!')
  await secrets.set('from-env', { environment: 'MILLRACE_TEST_SECRET' })
  await secrets.set('from-aws', { aws: 'prod/mail#token' }, { maxAge: '30d' })
  aws.secrets.set('prod/mail', {
    text: '{"token":"aws-value"}',
    version: 'v-aws-1',
    createdAt: 1_700_000_000,
  })
  const { id, result } = await run(['mail/token', 'from-env', 'from-aws', 'from-aws'])
  expect(await result).toEqual([13, 20, 9, 9])
  expect(await readsOf(id)).toEqual([
    { name: 'from-aws', version: 'v-aws-1', source: 'aws', step: 'read', attempt: 1 },
    { name: 'from-env', version: '1', source: 'environment', step: 'read', attempt: 1 },
    { name: 'mail/token', version: '2', source: 'table', step: 'read', attempt: 1 },
  ])
  // What AWS says of its age counts, and that is long ago.
  const events = await database.query(
    "select detail ->> 'name' as name from millrace.event where run_id = $1 and kind = 'secret.overdue'",
    [id],
  )
  expect(events).toEqual([{ name: 'from-aws' }])
  expect(
    (await secrets.list()).map(({ name, overdue, lastRead }) => ({ name, overdue, run: lastRead?.run })),
  ).toEqual([
    { name: 'from-aws', overdue: true, run: id },
    { name: 'from-env', overdue: false, run: id },
    { name: 'mail/token', overdue: false, run: id },
  ])
  for (const value of ['first-value', 'second-value!', 'from-the-environment', 'aws-value'])
    expect(await findInTables(value)).toEqual([])
})

test('JQ-33 a value that a worker kept from AWS says nothing of the age of a secret that has moved to our table since', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('moved', { aws: 'prod/moved' }, { maxAge: '90d' })
  const worker = await workerOf(database, 'reads-moved', chain('only'))
  const { run_id } = await startRun(database, 'reads-moved')
  const task = await claimOne(database, worker)
  const record = (version: string) =>
    database.query(
      "select millrace.record_secret_read($1, $2, $3, $4, $5, 'moved', $6, now() - interval '3 years') as holds",
      [worker.id, worker.lockKey, task.task_id, task.step_id, task.attempt, version],
    )
  const isOverdue = async () => (await secrets.list()).find(({ name }) => name === 'moved')?.overdue
  expect(await record('v-1')).toEqual([{ holds: true }])
  expect(await isOverdue()).toBe(true)
  await secrets.set('moved', { value: 'a-new-value' })
  expect(await record('v-2')).toEqual([{ holds: true }])
  expect(await isOverdue()).toBe(false)
  expect((await readsOf(run_id)).map(({ source }) => source)).toEqual(['aws', 'aws'])
})

test('a worker that stops leaves no connection to AWS Secrets Manager open', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('from-aws', { aws: 'prod/mail#token' })
  aws.secrets.set('prod/mail', { text: '{"token":"aws-value"}', version: 'v', createdAt: 1_700_000_000 })
  const connections = () =>
    new Promise<number>((resolve, reject) =>
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    )
  const { result } = await run(['from-aws'])
  expect(await result).toEqual([9])
  expect(await connections()).toBeGreaterThan(0)
  await opened.close()
  await until('its connections are closed', async () => (await connections()) === 0)
})

test('JQ-33 a secret that is not there, whose source does not give it, or for which there is no key, fails the attempt with a sentence that says so', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('no-env', { environment: 'MILLRACE_TEST_UNSET' })
  await secrets.set('no-aws', { aws: 'prod/gone' })
  await secrets.set('own', { value: 'own-value' })
  for (const [name, code] of [
    ['nowhere', 'secret_unknown'],
    ['no-env', 'secret_unavailable'],
    ['no-aws', 'secret_unavailable'],
  ] as const) {
    const { id, result } = await run([name])
    await expect(result).rejects.toMatchObject({
      fields: { error: { code, message: expect.stringContaining(name) as string } },
    })
    expect(await readsOf(id)).toEqual([])
    await opened.close()
  }
  const { result } = await run(['own'], { other: randomBytes(32).toString('base64') })
  await expect(result).rejects.toMatchObject({
    fields: { error: { code: 'encryption_key_missing', message: expect.stringContaining("'k1'") as string } },
  })
})

test('JQ-33 a secret older than its limit is told, once for each attempt that reads it, and a rotation makes it new', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('aged', { value: 'aged-value' }, { maxAge: '90d' })
  const isOverdue = async () => (await secrets.list()).find(({ name }) => name === 'aged')?.overdue
  expect(await isOverdue()).toBe(false)
  await database.clock.advance('91 days')
  expect(await isOverdue()).toBe(true)
  await secrets.rotate('aged', 'aged-value-2')
  expect(await isOverdue()).toBe(false)
})

test('J5 the value of a secret that is moved to another name or version, or changed, does not decrypt', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('left', { value: 'left-value' })
  await secrets.set('right', { value: 'right-value' })
  await secrets.rotate('right', 'right-value-2')
  await database.query(
    "update millrace.secret_version v set value = (select o.value from millrace.secret_version o where o.name = 'right' and o.version = 1) where v.name in ('left', 'right') and v.version = case v.name when 'left' then 1 else 2 end",
  )
  for (const name of ['left', 'right']) {
    const { result } = await run([name])
    await expect(result).rejects.toMatchObject({ fields: { error: { code: 'decryption_failed' } } })
    await opened.close()
  }
  await opened.client({ encryptionKeys }).secrets.remove('left')
  await opened.client({ encryptionKeys }).secrets.remove('right')
})

test('JQ-33 PP-S17 J4 a value that was read stands in no log line, error, note, metadata, part, output or checkpoint, and nowhere in the worker log: its name does', async () => {
  const value = 'the "secret" value\nof two lines & more'
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('loud', { value })
  const attempts: string[] = []
  const loud = pipeline('loud', { retry: { attempts: 2, initial: 0, jitter: 'none' } })
    .step('say', async (context) => {
      const read = await context.secret('loud')
      attempts.push(context.idempotencyKey)
      context.log(`a line with ${read}`, {
        in: { fields: read },
        coded: Buffer.from(read).toString('base64'),
      })
      context.progress(1, 2, read.slice(0))
      context.setMetadata({ said: read })
      await context.stream.write({ part: [read] })
      await context.durable.run('kept', () => read)
      if (context.attempt === 1)
        throw new Error(`refused: ${read} at https://x/?t=${encodeURIComponent(read)}`)
      return { token: read }
    })
    .step('fail', ({ steps }) => {
      throw new Error(`${steps.say.token} ${value}`)
    })
  await opened.worker({ pipelines: [loud], encryptionKeys })
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  const { run: started } = await client.start(loud, null)
  await expect(client.run(started!).result()).rejects.toMatchObject({
    message: expect.stringContaining('[secret loud] [secret loud]') as string,
  })
  const json = JSON.stringify(value).slice(1, -1)
  for (const form of [
    value,
    json,
    Buffer.from(value).toString('base64'),
    encodeURIComponent(value),
    '"secret\\" value',
  ])
    expect({ form, in: await findInTables(form) }).toEqual({ form, in: [] })
  expect(JSON.stringify(opened.log)).not.toContain(json)
  const [{ output }] = (await database.query<{ output: unknown }>(
    "select output from millrace.attempt where run_id = $1 and step = 'say' and outcome = 'completed'",
    [started!.id],
  )) as [{ output: unknown }]
  expect(output).toEqual({ token: '[secret loud]' })
  // The key under which the effect goes out is that of the step, not of the attempt.
  expect(new Set(attempts)).toEqual(new Set([`${started!.id}:say`]))
})

test('PP-S17 a secret that is a number costs no step its output, and stands in no input with which a run goes on, nor in the cache, nor in a header of Basic', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('pin', { value: '8264917305' })
  const pins = pipeline('pins', { input: z.object({ pin: z.unknown() }), retry: { attempts: 1 } }).step(
    'only',
    async ({ input, secret, durable, log, cache }) => {
      const pin = await secret('pin')
      const of = await cache('of-pin', { ttl: '1h' }, () => ({ pin }))
      expect(of.pin === pin || of.pin === '[secret pin]').toBe(true)
      log('a call', { authorization: `Basic ${Buffer.from(`me:${pin}`).toString('base64')}` })
      await durable.run('kept', () => ({ pin: Number(pin) }))
      if (input.pin === 0) await durable.continueAs({ pin: `it is ${pin}` })
      return { pin: Number(pin), of: input.pin }
    },
  )
  await opened.worker({ pipelines: [pins], encryptionKeys })
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  const { run } = await client.start(pins, { pin: 0 })
  const { continuedAs } = (await client.run(run!).result()) as { continuedAs: string }
  expect(await client.run(continuedAs).result()).toEqual({ pin: '[secret pin]', of: 'it is [secret pin]' })
  expect(await findInTables('8264917305')).toEqual([])
  expect(await findInTables(Buffer.from('me:8264917305').toString('base64'))).toEqual([])
})

test('PP-S17 of a value that stands where a message or a note is cut, nothing is kept', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('cut', { value: 'cut-through-the-middle' })
  const long = pipeline('long', { retry: { attempts: 1 } }).step('only', async ({ secret, progress }) => {
    const value = await secret('cut')
    for (const length of [3_990, 490, 190, 990]) progress(1, 2, `${'x'.repeat(length)}${value}`)
    throw new Error(`${'x'.repeat(3_985)}${value}`)
  })
  await opened.worker({ pipelines: [long], encryptionKeys })
  const client = opened.client({ encryptionKeys })
  const { run } = await client.start(long, null)
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect(await findInTables('cut-thr')).toEqual([])
})

test('JQ-33 two who rotate a secret at once make two versions, and none is lost', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('raced', { value: 'value-0' })
  const versions = await Promise.all(
    Array.from({ length: 4 }, (_, n) =>
      secrets.rotate('raced', `value-${n + 1}`).then(({ version }) => version),
    ),
  )
  expect(versions.sort()).toEqual([2, 3, 4, 5])
})

test('JQ-33 an attempt that has lost its task gets no secret', async () => {
  const { secrets } = opened.client({ encryptionKeys })
  await secrets.set('late', { value: 'late-value' })
  const rows = await database.query(
    "select millrace.record_secret_read(gen_random_uuid(), 1, 1, 1, 1, 'late', '1') as holds",
  )
  expect(rows).toEqual([{ holds: false }])
  expect(await database.query("select 1 from millrace.secret_read where name = 'late'")).toEqual([])
})
