// Whom a worker waits for: at its start a server that may come, once it was in also one that refuses its login for a while.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { createLogin, type Login } from '../../test/login.ts'
import { asOther, openMillrace } from '../../test/millrace.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { connectionsBeside, openConnections } from './connections.ts'
import { workerSettings } from './options.ts'

const { database, opened } = await openMillrace()
let login: Login
beforeAll(async () => {
  login = await createLogin(database, 'millrace_worker')
})
afterAll(async () => {
  await login.close()
})

const greeting = pipeline('greeting').step('say', () => 'hello')
const isTold = (what: string, text: string) =>
  until(what, async () => opened.log.some(({ message }) => message.includes(text)))

test('a login that is refused at its start ends the worker at once, and it says why', async () => {
  const wrong = new URL(login.url)
  wrong.password = 'wrong'
  await expect(opened.worker({ pipelines: [greeting], database: wrong.href })).rejects.toMatchObject({
    code: 'database_login_refused',
    message: expect.stringMatching(/^PostgreSQL at 127\.0\.0\.1:\d+\/\w+ refused the login: password/),
  })
  wrong.password = ''
  await expect(opened.worker({ pipelines: [greeting], database: wrong.href })).rejects.toMatchObject({
    code: 'database_login_refused',
    message: expect.stringMatching(/asks for a password, and none was given\.$/),
  })
  expect(opened.log).toEqual([])
})

test('a database that does not exist ends the worker at its start', async () => {
  const missing = new URL(login.url)
  missing.pathname = 'nowhere'
  await expect(opened.worker({ pipelines: [greeting], database: missing.href })).rejects.toMatchObject({
    code: 'database_missing',
  })
  expect(opened.log).toEqual([])
})

test('a server without a connection left is waited for at the start', async () => {
  await login.alter('connection limit 0')
  const starting = opened.worker({ pipelines: [greeting], database: login.url })
  await isTold('the worker waits', 'has no connection left')
  await login.alter('connection limit -1')
  expect((await starting).state).toBe('idle')
})

test('a worker whose password is changed waits until it may come in again, and goes on', async () => {
  await opened.worker({ pipelines: [greeting], database: login.url })
  await login.alter("password 'second'")
  await login.cutOff()
  await isTold('the worker waits', "The database can't be used at present: PostgreSQL")
  await isTold('it was refused', 'refused the login')
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(greeting, null)
  await login.alter("password 'first'")
  expect(await client.run(run!).result()).toBe('hello')
})

test('RR-13 a worker opens as many connections as it is said to, beside those for handlers and the one that listens', async () => {
  const settings = workerSettings({ database: database.url, pipelines: [greeting], connectionsMax: 2 })
  const connections = await openConnections(settings, new AbortController().signal)
  const wait = { name: '', text: 'select pg_sleep(0.1)' }
  const { heartbeat, claims, outcomes, artifacts, triggers, upkeep, handlers, checkpointPool } = connections
  const many = <T>(ask: () => Promise<T>) => Array.from({ length: 4 }, ask)
  try {
    await Promise.all([
      ...[heartbeat, claims, outcomes, artifacts, triggers, upkeep, handlers].flatMap((caller) =>
        many(() => caller.call(wait, [])),
      ),
      ...many(() => checkpointPool.query(wait.text)),
    ])
    const [open] = await database.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and application_name ~ '^millrace (heartbeat|claims|outcomes|checkpoints|artifacts|triggers|upkeep|handlers)$'`,
    )
    expect(open!.count).toBe(connectionsBeside - 1 + settings.connectionsMax)
  } finally {
    await connections.close()
  }
})
