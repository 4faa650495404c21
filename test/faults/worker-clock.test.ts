// Workers whose machine has a wrong clock: leases and due times are reckoned by the database's clock alone.
import { expect, test } from 'vitest'
import { allEnded, expectLoadDone, expectSound, startLoad } from './effects.ts'
import { forgetSharedClock, isFaketimeThere, withClock } from './false-clock.ts'
import { holdPipelines } from './pipelines.ts'
import { until } from '../deadline.ts'
import { programsOnDatabase } from './programs-on.ts'
import type { WorkerProgram } from './worker-program.ts'

if (!isFaketimeThere)
  process.stdout.write('Left out: the tests with a wrong clock, because faketime is not installed.\n')

const { hold } = holdPipelines(() => {})
const heldMs = 3_500

const { database, client, programs } = await programsOnDatabase()

test.skipIf(!isFaketimeThere).each(['+1h', '-1h', '+0 x1.5'])(
  'D1 a worker whose clock is off by %s keeps its lease, respects due times and judges nobody wrongly',
  async (clock) => {
    const honest = await programs.start(options())
    const wrong = await programs.start({ ...options(), env: withClock(clock) })
    forgetSharedClock(wrong.child.pid!)
    const later = new Date(Date.now() + 2_000)
    const delayed = (await client.start(hold, { ms: 1, deaf: false }, { availableAt: later })).run!
    const held = await Promise.all(
      Array.from({ length: 6 }, () => client.start(hold, { ms: heldMs, deaf: false })),
    )
    const runs = await startLoad(client, 30, 5)
    const all = [delayed.id, ...held.map(({ run }) => run!.id), ...runs]
    await until('both at work', async () => (await workedOn(all)).length === 2)
    await allEnded(database, all)
    await expectLoadDone(database, runs)
    await expectSound(database, all)
    expect(
      await database.query(
        "select from millrace.attempt where outcome <> 'completed' and run_id = any ($1)",
        [all],
      ),
    ).toEqual([])
    const [early] = await database.query(
      `select started_at < available_at as early, abs(extract(epoch from finished_at - clock_timestamp())) > 1800 as foreign
         from millrace.run where id = $1`,
      [delayed.id],
    )
    expect(early).toEqual({ early: false, foreign: false })
    for (const { logs } of [honest, wrong]) expect(logs).toEqual([])
    const off = Math.abs(wrong.lines[0]!.at - Date.now())
    if (clock.endsWith('h')) expect(off).toBeGreaterThan(3_500_000)
    else expect(longestHold(wrong)).toBeGreaterThan(1.3 * heldMs)
    expect(await leaseOf(wrong)).toBeLessThanOrEqual(3)
  },
  60_000,
)

/** By the worker's own clock, while timers go by the one that nobody has moved. */
function longestHold({ lines }: WorkerProgram): number {
  const spans = lines
    .filter(({ kind }) => kind === 'ended')
    .map((ended) => ended.at - lines.find(({ kind, run }) => kind === 'began' && run === ended.run)!.at)
  return Math.max(...spans)
}

const options = () => ({ database: database.url, leaseSeconds: 3, heartbeatMs: 300, slots: 4 })

const workedOn = (runs: readonly string[]) =>
  database.query('select distinct worker_id from millrace.attempt where run_id = any ($1)', [runs])

/** Seconds that a worker's lease still runs. */
async function leaseOf({ worker }: WorkerProgram): Promise<number> {
  const [row] = await database.query<{ seconds: number }>(
    'select extract(epoch from lease_expires_at - millrace.now())::float8 as seconds from millrace.worker where id = $1',
    [worker],
  )
  return row?.seconds ?? Number.NaN
}
