// Processes that are killed while they hold a lock, or compute a value that others wait for: within seconds somebody else does.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Client, connect } from '../../src/sdk/client.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { holdPipelines } from './pipelines.ts'
import { until } from '../deadline.ts'
import { mayJudge, type WorkerProgram, WorkerPrograms } from './worker-program.ts'

const { holdLock, holdCache } = holdPipelines(() => {})

let database: TestDatabase
let client: Client
const programs = new WorkerPrograms()

beforeAll(async () => {
  database = await createTestDatabase()
  client = connect({ database: database.url })
})
afterEach(() => programs.killAll())
afterAll(async () => {
  await client.close()
  await database.close()
})

const options = () => ({ database: database.url, leaseSeconds: 10, heartbeatMs: 200, slots: 1 })

/** The process on which an attempt at this run is under way. */
const holderOf = (started: readonly WorkerProgram[], run: string) =>
  until('the run is under way', () =>
    started.find(({ lines }) => lines.some((line) => line.kind === 'began' && line.run === run)),
  )

test('FO-11 E7 a process that is killed while it holds a lock frees it: who waits has it within its lease, under a higher token, and never two at once', async () => {
  const started = [await programs.start(options()), await programs.start(options())]
  for (const { worker } of started) await mayJudge(database, worker)
  const { run: first } = await client.start(holdLock, { ms: 600_000 })
  const holder = await holderOf(started, first!.id)
  const { run: second } = await client.start(holdLock, { ms: 0 })
  await until(
    'the second waits for the lock',
    async () => (await client.run(second!).why()).reason === 'lock',
  )
  const [{ token: held } = { token: 0 }] = await database.query<{ token: number }>(
    'select token::int from millrace.lock_request where run_id = $1',
    [first!.id],
  )
  const killedAt = performance.now()
  const killed = Date.now()
  await holder.kill()
  const token = await client.run<typeof holdLock>(second!).result({ timeoutMs: 30_000 })
  expect(token).toBeGreaterThan(held)
  // Its liveness lock tells sooner than its lease.
  expect(performance.now() - killedAt).toBeLessThan(10_000)
  const entered = started.flatMap(({ lines }) =>
    lines.filter(({ kind, run }) => kind === 'began' && run === second!.id),
  )
  expect(entered).toHaveLength(1)
  expect(entered[0]!.at).toBeGreaterThanOrEqual(killed)
  const [row] = await database.query<{ n: number }>(
    'select count(*)::int as n from millrace.lock_request where token is not null',
  )
  expect(row!.n).toBeLessThanOrEqual(1)
  await client.run(first!).cancel()
})

test('JQ-26 a process that is killed while it computes a value leaves it to one that waits, and the value is computed once more and no oftener', async () => {
  const started = [await programs.start(options()), await programs.start({ ...options(), slots: 4 })]
  for (const { worker } of started) await mayJudge(database, worker)
  const { run: first } = await client.start(holdCache, { ms: 3_000 })
  const holder = await holderOf(started, first!.id)
  const waiting = await client.startMany(holdCache, [{ ms: 0 }, { ms: 0 }])
  await until('somebody waits for the value', async () => {
    const [row] = await database.query<{ awaited: boolean }>('select awaited from millrace.cache_claim')
    return row?.awaited
  })
  await holder.kill()
  const values = await Promise.all(
    [first!, ...waiting.map(({ run }) => run!)].map((run) => client.run(run).result({ timeoutMs: 30_000 })),
  )
  expect(new Set(values).size).toBe(1)
  const survivors = started.filter((one) => one !== holder)
  expect(survivors.flatMap(({ lines }) => lines.filter(({ kind }) => kind === 'began'))).toHaveLength(1)
})
