// A server that is away: when a worker begins, when it is told to end, and when all connections break at once.
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { allEnded, expectSound } from './effects.ts'
import { holdPipelines } from './pipelines.ts'
import { until } from '../deadline.ts'
import { programsOnServer } from './programs-on.ts'
import { mayJudge, type WorkerProgram } from './worker-program.ts'

const { hold } = holdPipelines(() => {})

const { server, client, programs } = await programsOnServer()

test('a worker that is started before its database waits for it, in few words, and begins', async () => {
  await server.crash()
  const worker = programs.begin({ database: server.url, leaseSeconds: 3, heartbeatMs: 300 })
  await worker.said('log')
  await pause(1_500)
  expect(worker.logs).toHaveLength(1)
  expect(worker.logs[0]?.message).toMatch(
    /^Waiting for the database: No connection to PostgreSQL at 127\.0\.0\.1:\d+\/millrace/,
  )
  await server.start()
  await worker.said('ready', {}, 10_000)
  const run = (await client.start(hold, { ms: 1, deaf: false })).run!
  await allEnded(server, [run.id])
}, 40_000)

test('A9 SIGTERM while the server is down ends the worker within its drain, and its step runs again later', async () => {
  const worker = await programs.start({
    database: server.url,
    leaseSeconds: 3,
    heartbeatMs: 300,
    drainMs: 1_000,
  })
  const run = (await client.start(hold, { ms: 300, deaf: false })).run!
  await worker.said('began', { run: run.id })
  await server.crash()
  worker.signal('SIGTERM')
  await worker.exited(15_000)
  expect(worker.code).toBe(0)
  await server.start()
  await programs.start({ database: server.url, leaseSeconds: 3, heartbeatMs: 300 })
  await allEnded(server, [run.id], 30_000)
  await expectSound(server, [run.id])
}, 60_000)

test('a backend that crashes ends all connections, liveness locks too: nobody is taken for dead who only could not speak', async () => {
  const options = { database: server.url, leaseSeconds: 5, heartbeatMs: 300 }
  const judge = await programs.start(options)
  await mayJudge(server, judge.worker)
  await server.query("update millrace.worker set ordered_state = 'paused' where id = $1", [judge.worker])
  const silent = await programs.start(options)
  const run = (await client.start(hold, { ms: 2_000, deaf: false })).run!
  await silent.said('began', { run: run.id })
  silent.signal('SIGSTOP')
  const [backend] = await server.query<{ pid: number }>(
    "select pid from pg_stat_activity where application_name = 'millrace claims' limit 1",
  )
  process.kill(backend!.pid, 'SIGKILL')
  // Long enough for the judge to come back and look, shorter than the lease.
  const beats = (await until('the server', () => beatOf(judge).catch(() => undefined))) + 2_500
  await until('the judge to look again', async () => (await beatOf(judge).catch(() => 0)) > beats)
  silent.signal('SIGCONT')
  await allEnded(server, [run.id])
  expect(await server.query('select outcome from millrace.attempt where run_id = $1', [run.id])).toEqual([
    { outcome: 'completed' },
  ])
  await expectSound(server, [run.id])
}, 60_000)

/** When a worker was last heard, in milliseconds of the database's clock. */
async function beatOf({ worker }: WorkerProgram): Promise<number> {
  const [row] = await server.query<{ ms: number }>(
    'select extract(epoch from heartbeat_at)::float8 * 1000 as ms from millrace.worker where id = $1',
    [worker],
  )
  return row!.ms
}
