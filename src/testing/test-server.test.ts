// Where the databases of test engines come from: whose server it may be, and what becomes of copies that nobody dropped.
import { randomBytes } from 'node:crypto'
import { afterAll, expect, inject, test } from 'vitest'
import { testTemplate } from '../../test/database.ts'
import { connectClient } from '../db/connection.ts'
import {
  copyName,
  copyTemplate,
  dropAbandonedCopies,
  dropTemplate,
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
  const holder = await connectClient({ connectionString: server })
  await holdCopies(holder, 7_001)
  await onServer(server, async (client) => {
    for (const name of [living, gone]) await copyTemplate(client, testTemplate(), name)
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
