// Artifacts at the SQL level: however many write at once, a run has no more of them than it may.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  claim,
  type Connection,
  connect,
  registerPipeline,
  registerWorker,
  type Sql,
  startRun,
} from '../../../test/protocol.ts'

let database: TestDatabase
const connections: Connection[] = []
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.end()))
  await database.close()
})

test('two that begin the last artifact of a run at once do not both finish it', async () => {
  await registerPipeline(database, 'both-write', [
    { name: 'one', after: [] },
    { name: 'other', after: [] },
  ])
  const worker = await registerWorker(database)
  await startRun(database, 'both-write')
  const tasks = await claim(database, worker, 10)
  expect(tasks).toHaveLength(2)
  await database.query("update millrace.setting set value = '1' where name = 'run_artifacts_max'")
  const ids = [randomUUID(), randomUUID()]
  const given = (place: number) => {
    const { task_id, step_id, attempt } = tasks[place]!
    return [worker.id, worker.lockKey, task_id, step_id, attempt, ids[place]]
  }
  const open = (sql: Sql, place: number) =>
    sql.query("select millrace.open_upload($1, $2, $3, $4, $5, $6, $7, 'text/plain', 'postgres', '')", [
      ...given(place),
      `artifact ${place}`,
    ])
  const finish = (place: number) =>
    database.query('select millrace.finish_upload($1, $2, $3, $4, $5, $6, 0, sha256($7)) as done', [
      ...given(place),
      Buffer.alloc(0),
    ])
  const first = await connect(database)
  connections.push(first)
  await first.query('begin')
  await open(first, 0)
  await open(database, 1)
  await first.query('commit')
  expect(await finish(0)).toEqual([{ done: true }])
  await expect(finish(1)).rejects.toMatchObject({ code: 'MR041' })
  expect(await database.query('select name from millrace.artifact')).toEqual([{ name: 'artifact 0' }])
})
