// What a heartbeat does besides prolonging the lease.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { chain, heartbeat, registerPipeline, registerWorker, startRun } from '../../../test/protocol.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})

afterAll(async () => {
  await database.close()
})

test('a worker that is too new to judge others promotes and claims what is due', async () => {
  await registerPipeline(database, 'later', chain('only'))
  const availableAt = new Date((await database.clock.now()).getTime() + 60_000).toISOString()
  await startRun(database, 'later', null, { availableAt })
  const worker = await registerWorker(database)
  const claimed = async () => {
    const answers = await heartbeat(database, worker, [], { sweep: false, room: 1 })
    return answers.filter(({ kind }) => kind === 'task').length
  }
  expect(await claimed()).toBe(0)
  await database.clock.advance(60_000)
  expect(await claimed()).toBe(1)
})
