// A lone worker that dies and is started again: what it held does not wait for its lease, and who lives is left alone.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Client, connect } from '../../src/sdk/client.ts'
import { machineOfProcess } from '../../src/worker/machine.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { until } from '../deadline.ts'
import { allEnded, expectSound, recordFigure } from './effects.ts'
import { effectTable, holdPipelines } from './pipelines.ts'
import { WorkerPrograms } from './worker-program.ts'

const { hold } = holdPipelines(() => {})
/** Longer than the test may take: nothing here comes about by a lease. */
const leaseSeconds = 600

let database: TestDatabase
let client: Client
const programs = new WorkerPrograms()

beforeAll(async () => {
  database = await createTestDatabase()
  await database.query(effectTable)
  client = connect({ database: database.url })
})
afterEach(() => programs.killAll())
afterAll(async () => {
  await client.close()
  await database.close()
})

const workerOf = async (id: string) => {
  const [row] = await database.query<{ state: string; gone_reason: string | null }>(
    'select state, gone_reason from millrace.worker where id = $1',
    [id],
  )
  return row
}

test.runIf(machineOfProcess() !== null)(
  'A8 the only worker is killed and started again: it goes on with what it held within seconds, not after its lease',
  async () => {
    const options = { database: database.url, leaseSeconds, heartbeatMs: 300, slots: 3 }
    const former = await programs.start(options)
    const runs = await Promise.all([1, 2, 3].map(() => client.start(hold, { ms: 1_000, deaf: false })))
    const ids = runs.map(({ run }) => run!.id)
    for (const run of ids) await former.said('began', { run })
    await former.kill()
    const next = await programs.start(options)
    await allEnded(database, ids)
    for (const run of ids) await next.said('began', { run, attempt: 2 })
    expect(await workerOf(former.worker)).toEqual({ state: 'gone', gone_reason: 'its process died' })
    const [recovery] = await database.query<{ seconds: number; after: number }>(
      `select extract(epoch from max(a.finished_at) - max(w.heartbeat_at))::float8 as seconds,
              extract(epoch from max(a.finished_at) - max(heir.started_at))::float8 as after
         from millrace.attempt a join millrace.worker w on w.id = a.worker_id, millrace.worker heir
        where a.outcome = 'reclaimed' and w.id = $1 and heir.id = $2`,
      [former.worker, next.worker],
    )
    recordFigure(
      'A8',
      `free ${recovery!.seconds.toFixed(2)} s after the last heartbeat, ${recovery!.after.toFixed(2)} s after the restart`,
    )
    expect(recovery!.seconds).toBeLessThan(60)
    await expectSound(database, ids)
  },
  120_000,
)

test('A8 a worker that only hangs is not taken for dead by one that is started on its machine', async () => {
  const options = { database: database.url, leaseSeconds, heartbeatMs: 300, slots: 3 }
  const hanging = await programs.start(options)
  const { run } = await client.start(hold, { ms: 100, deaf: false })
  await hanging.said('began', { run: run!.id })
  hanging.signal('SIGSTOP')
  await until('it is silent', async () => {
    const [row] = await database.query<{ silent: boolean }>(
      "select heartbeat_at < millrace.now() - interval '2 seconds' as silent from millrace.worker where id = $1",
      [hanging.worker],
    )
    return row!.silent
  })
  const next = await programs.start(options)
  const other = (await client.start(hold, { ms: 1, deaf: false })).run!
  await next.said('began', { run: other.id })
  await allEnded(database, [other.id])
  expect((await workerOf(hanging.worker))!.state).not.toBe('gone')
  hanging.signal('SIGCONT')
  await allEnded(database, [run!.id])
  const attempts = await database.query('select outcome from millrace.attempt where run_id = $1', [run!.id])
  expect(attempts).toEqual([{ outcome: 'completed' }])
}, 120_000)
