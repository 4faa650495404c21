// A server that crashes and comes back: no acknowledged start is lost, and workers and clients go on by themselves.
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { allEnded, expectLoadDone, isLong, recordFigure, startLoad } from './effects.ts'
import { load, holdPipelines } from './pipelines.ts'
import { seededRandom } from './random.ts'
import { until } from '../deadline.ts'
import { programsOnServer } from './programs-on.ts'
import type { WorkerProgram } from './worker-program.ts'

const stops = isLong ? 50 : 3
const { hold } = holdPipelines(() => {})

const { server, client, programs } = await programsOnServer()

test(
  'B1 the server crashes under load and comes back: no acknowledged start is lost, and workers go on within 5 s',
  async () => {
    const options = { database: server.url, leaseSeconds: 3, heartbeatMs: 300, slots: 10 }
    const workers = await Promise.all([programs.start(options), programs.start(options)])
    const random = seededRandom(20_240_614)
    const begun = performance.now()
    const acknowledged: string[] = []
    let slowest = 0
    for (let stop = 0; stop < stops; stop++) {
      const starting = startUntilRefused(acknowledged)
      await until('a load under way', () => acknowledged.length > 40 * (stop + 1))
      await server.crash()
      starting.stop()
      await pause(isLong && stop % 10 === 0 ? 30_000 : random() * 1_500)
      await server.start()
      const ready = performance.now()
      await starting.ended
      const again = await backAtWork(workers, ready)
      slowest = Math.max(slowest, again)
    }
    await allEnded(server, acknowledged, 60_000)
    await expectLoadDone(server, acknowledged)
    recordFigure(
      'B1',
      `${stops} crashes, ${acknowledged.length} acknowledged starts, 0 lost; both workers back at most ${slowest.toFixed(1)} s after readiness`,
    )
    expect(slowest).toBeLessThan(5)
    const seconds = (performance.now() - begun) / 1_000
    for (const { logs } of workers) expect(logs.length).toBeLessThan(seconds)
  },
  isLong ? 3_600_000 : 90_000,
)

test('B5 the backend is ended during the commit of a start: the client asks again with the same id, and there is one run', async () => {
  // The first start of a pipeline registers it; this is about the start alone.
  await client.run((await client.start(hold, { ms: 1, deaf: false })).run!).cancel()
  // A commit that waits for a standby that isn't there has happened, but is not acknowledged.
  await server.configure('synchronous_standby_names', 'nobody')
  let answer = client.start(hold, { ms: 1, deaf: false })
  const earlier: string[] = []
  await until('the commit that waits', async () => {
    if ((await waitingCommits()) > 0) return true
    // The server takes the setting up a moment later: what was committed before that doesn't count, and another start is tried.
    const early = await Promise.race([answer, pause(200)])
    if (early === undefined) return false
    // Cancelled later: its commit would wait as well.
    earlier.push(early.run!.id)
    answer = client.start(hold, { ms: 1, deaf: false })
    return false
  })
  const ended = await server.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'",
  )
  expect(ended.length).toBeGreaterThan(0)
  await server.configure('synchronous_standby_names')
  const { created, run } = await answer
  expect(created).toBe(true)
  const runs = await server.query(
    "select id from millrace.run where slug = $1 and created_at > clock_timestamp() - interval '30 seconds' and finished_at is null and id <> all ($2)",
    [hold.slug, earlier],
  )
  expect(runs).toEqual([{ id: run!.id }])
  expect(
    await server.query('select count(*)::int as tasks from millrace.task where run_id = $1', [run!.id]),
  ).toEqual([{ tasks: 1 }])
  for (const id of [...earlier, run!.id]) await client.run(id).cancel()
}, 60_000)

const waitingCommits = async (): Promise<number> =>
  (await server.query("select from pg_stat_activity where wait_event = 'SyncRep'")).length

/** Starts runs, as fast as they are acknowledged, until told to stop; what is refused while the server is down is not counted. */
function startUntilRefused(acknowledged: string[]): { stop(): void; ended: Promise<void> } {
  let stopped = false
  const one = async (n: number): Promise<void> => {
    while (!stopped) {
      const answer = await client.start(load[n % load.length]!.pipeline, { ms: 20 }).catch(() => undefined)
      if (answer !== undefined) acknowledged.push(answer.run!.id)
      else await pause(20)
    }
  }
  const ended = Promise.all(Array.from({ length: 4 * load.length }, (_, n) => one(n))).then(() => {})
  return {
    stop: () => {
      stopped = true
    },
    ended,
  }
}

/** Seconds from the readiness of the server until each of these processes has had a step completed. */
async function backAtWork(workers: readonly WorkerProgram[], ready: number): Promise<number> {
  const began = await server.query<{ at: Date }>('select clock_timestamp() as at')
  const probes = await startLoad(client, 30)
  await until('all workers at work', async () => {
    const rows = await server.query<{ pid: number }>(
      `select distinct w.process_id as pid from millrace.attempt a join millrace.worker w on w.id = a.worker_id
        where a.finished_at >= $1 and a.outcome = 'completed'`,
      [began[0]!.at],
    )
    if (workers.every(({ child }) => rows.some(({ pid }) => pid === child.pid))) return true
    probes.push(...(await startLoad(client, 30)))
    return false
  })
  const seconds = (performance.now() - ready) / 1_000
  await allEnded(server, probes, 30_000)
  return seconds
}
