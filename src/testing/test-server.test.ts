// Where the databases of test engines come from: whose server it may be, and what becomes of copies that nobody dropped.
import { randomBytes } from 'node:crypto'
import { afterAll, expect, inject, test } from 'vitest'
import { testTemplate } from '../../test/database.ts'
import { connectClient } from '../db/connection.ts'
import { inspect } from 'node:util'
import { until } from '../../test/deadline.ts'
import { createEngine } from '../../test/engine.ts'
import {
  addressOf,
  copyName,
  copyTemplate,
  dropAbandonedCopies,
  dropDatabase,
  dropTemplate,
  ensureTemplate,
  holdCopies,
  onServer,
  templateName,
} from '../db/test-databases.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { createTestEngine } from './engine.ts'

const server = inject('testServerUrl')
const login = `builder_${randomBytes(4).toString('hex')}`

afterAll(async () => {
  const own = ownUrl()
  await dropTemplate(server, await templateName(own))
  await onServer(server, (client) => client.query(`drop role if exists ${login}`))
})

function ownUrl(): string {
  const url = new URL(server)
  url.username = login
  url.password = 'first'
  return url.href
}

test('a login that may create databases, and nothing else, is enough', async () => {
  await onServer(server, (client) => client.query(`create role ${login} login createdb password 'first'`))
  const patient = pipeline('patient').step('ask', ({ attempt }) => {
    if (attempt === 1) throw new Error('nobody answers')
    return attempt
  })
  const engine = await createTestEngine({ pipelines: [patient], server: ownUrl(), log: () => {} })
  const gone = engine.databaseGone('2s')
  const run = await engine.start(patient, null)
  await engine.advance('1m')
  expect(await engine.result(run)).toBe(2)
  expect(gone.fired).toBe(true)
  await engine.close()
})

test('copies of a process that is gone are dropped, those of one that lives are not', async () => {
  const [living, gone] = [copyName(7_001, 0), copyName(7_002, 0)]
  await onServer(server, (client) => copyTemplate(client, testTemplate(), living))
  // Somebody who names another database of the same server.
  const holder = await connectClient({ connectionString: addressOf(server, living) })
  await holdCopies(holder, 7_001)
  await onServer(server, async (client) => {
    await copyTemplate(client, testTemplate(), gone)
    await dropAbandonedCopies(client)
    expect(await copies(client)).toEqual([living])
  })
  await holder.end()
  await onServer(server, async (client) => {
    await dropAbandonedCopies(client)
    expect(await copies(client)).toEqual([])
  })

  async function copies(client: Awaited<ReturnType<typeof connectClient>>): Promise<string[]> {
    const { rows } = await client.query<{ name: string }>(
      'select datname as name from pg_database where datname = any ($1)',
      [[living, gone]],
    )
    return rows.map(({ name }) => name)
  }
})

test('a server that cannot be reached is said so, and is tried again by the next engine', async () => {
  const nowhere = 'postgres://nobody@127.0.0.1:1/nothing'
  for (let time = 0; time < 2; time++)
    await expect(createTestEngine({ pipelines: [], server: nowhere })).rejects.toMatchObject({
      code: 'database_unreachable',
    })
})

test('of two that make a template at once, each by another database of the server, one wins, and both have it', async () => {
  const name = `millrace_template_${randomBytes(8).toString('hex')}`
  const other = copyName(7_003, 0)
  const holder = await connectClient({ connectionString: server })
  await holdCopies(holder, 7_003)
  await copyTemplate(holder, testTemplate(), other)
  await Promise.all([server, addressOf(server, other)].map((url) => ensureTemplate(url, name)))
  const { rows } = await holder.query(
    'select datistemplate, datallowconn from pg_database where datname = $1',
    [name],
  )
  expect(rows).toEqual([{ datistemplate: true, datallowconn: false }])
  await dropDatabase(holder, other)
  await holder.end()
  await dropTemplate(server, name)
})

test('the connection of a test process ends a moment after its last copy, and comes back with the next one', async () => {
  const first = await createEngine([])
  const [, key = ''] = /millrace_copy_([0-9]+)_/.exec(first.database) ?? []
  expect(await holders(key)).toBe(1)
  await first.close()
  await until('nobody holds copies of this process', async () => (await holders(key)) === 0)
  const second = await createEngine([])
  expect(await holders(key)).toBe(1)
  await second.close()
})

function holders(key: string): Promise<number> {
  return onServer(server, async (client) => {
    const { rowCount } = await client.query(
      "select from pg_locks where locktype = 'advisory' and classid = 77429 and objid = $1::oid and granted",
      [key],
    )
    return rowCount ?? 0
  })
}

test('the address of a server that is no URL is refused without the password in it', async () => {
  const error: unknown = await createTestEngine({
    pipelines: [],
    server: 'postgres://me:pa#ss@host/db',
  }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'connection_string_invalid' })
  expect(inspect(error, { depth: 9 })).not.toContain('pa#ss')
})
