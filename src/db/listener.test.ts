// A listening connection that falls silent before its first ping.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { openProxy, type Proxy } from '../../test/faults/proxy.ts'
import { Listener } from './listener.ts'

let database: TestDatabase
let proxy: Proxy
beforeAll(async () => {
  database = await createTestDatabase()
  proxy = await openProxy(database.url)
})
afterAll(async () => {
  await proxy.close()
  await database.close()
})

test.each([['listen millrace_end'], ['pg_try_advisory_lock']])(
  'a connection that is silent from %s on is given up after half a ping, and another takes its place',
  async (said) => {
    const lost: string[] = []
    const heard: string[] = []
    const listener = new Listener({
      connectionString: proxy.through(database.url),
      channels: ['millrace_end'],
      onNotify: (_, message) => heard.push(message),
      onLost: (error) => lost.push(error.message),
      pingMs: 1_000,
    })
    const silence = proxy.loseAnswerTo(said)
    await listener.holdLock(said.length)
    await Promise.all([silence, listener.start()])
    await until(
      'another connection listens and has the lock',
      () => listener.listening && listener.locked,
      8_000,
    )
    expect(lost).toEqual([expect.stringContaining('did not answer')])
    await database.query("select pg_notify('millrace_end', 'told')")
    await until('the notification', () => heard.includes('told'))
    await listener.close()
  },
)
