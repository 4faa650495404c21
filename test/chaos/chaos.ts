// A run of chaos from its beginning to its report: four workers, a load, a nemesis, a detector of what is stuck, and the verdict.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { applyWatches } from '../watched.ts'
import { Load } from './load.ts'
import { type Done, Nemesis } from './nemesis.ts'
import { watchName } from './pipelines.ts'
import { planFaults } from './plan.ts'
import { figureOf, recoveriesOf, undisturbed } from './recovery.ts'
import { Soak } from './soak.ts'
import { Stage } from './stage.ts'
import { dumpStuck, findStuck } from './stuck.ts'
import { judge } from './verdict.ts'
import type { Report } from './report.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly seconds: number
  /** No faults: what the load uses in an hour is looked at. */
  readonly calm: boolean
  readonly rate: number
  readonly liveMax: number
  /** Light runs a second. */
  readonly light: number
  readonly leaseSeconds: number
  readonly heartbeatMs: number
  /** The mean pause between two faults of a lane. */
  readonly everySeconds: number
  readonly diskMegabytes: number
  readonly previous: string
  readonly tell: (line: string) => void
  /** Told what to close where all is to end at once. */
  readonly opened: (stage: Stage) => void
}

const slots = 10
const stuckSeconds = 60
const lookMs = 1_000
/** A recovery that takes longer is told with the account of its run. */
const slowRecoveryMs = 30_000
/** Of the disk: with more on it no other run is started, and no other fault begins. */
const diskShareMax = 0.9
/** How long what is left may take once no more faults come. The detector looks for nothing where no workers are there: they may all have ended. */
const settleMs = 300_000

export async function runChaos(options: ChaosOptions): Promise<Report> {
  const { seed, tell } = options
  const stage = await Stage.open({ ...options, slots })
  options.opened(stage)
  try {
    const missing = stage.missing
    for (const [kind, reason] of missing) tell(`Left out: ${kind}, because ${reason}.`)
    const plan = planFaults({
      seed,
      ms: options.calm ? 0 : options.seconds * 1_000,
      everyMs: options.everySeconds * 1_000,
      seats: stage.parts.seats.length,
      without: new Set(missing.keys()),
    })
    await stage.startWorkers()
    await applyWatches(stage.parts, watchName)
    const begun = performance.now()
    const nemesis = new Nemesis(stage, options)
    const load = new Load(stage, options)
    const soak = new Soak(stage.parts.seats, stage.parts.server)
    const detector = new Detector(stage)
    const loading = load.run()
    const endEarly = () => {
      nemesis.stop()
      load.stop()
    }
    const watching = detector.watch(endEarly)
    const soaking = setInterval(
      () => {
        void soak.sample()
        if (nemesis.isFilling || (stage.parts.disk?.share ?? 0) <= diskShareMax || load.isStopped) return
        tell('The disk is nearly full: no other run begins.')
        endEarly()
      },
      options.calm ? 10_000 : 2_000,
    )
    const over = setTimeout(() => load.stop(), options.seconds * 1_000)
    const nemesisOver = options.calm ? loading : nemesis.carryOut(plan, options.seconds * 1_000)
    await Promise.all([loading, nemesisOver])
    clearTimeout(over)
    const loaded = (performance.now() - begun) / 1_000
    tell(`All is in order again after ${loaded.toFixed(0)} s; ${load.live} runs are live.`)
    await pause(lookMs)
    const settleBy = performance.now() + settleMs
    const isOver = () => detector.found !== undefined || performance.now() > settleBy
    await load.settle(isOver)
    clearInterval(soaking)
    await soak.sample()
    detector.stop()
    await watching
    // What is fired, told and counted beside the runs comes to its end as well.
    await settleTriggers(stage, isOver)
    await load.settle(isOver)
    tell(load.live === 0 ? 'All of them have ended.' : `${load.live} runs have not ended.`)
    await Promise.all(stage.parts.seats.map((seat) => seat.stop()))
    const verdict = await judge(stage.parts.server, load.acknowledged, load.pipelines)
    tell('All promises are checked.')
    const recoveries = await recoveriesOf(
      stage.parts.server,
      stage.parts.seats.flatMap(({ deaths }) => deaths),
    )
    const [slowest] = [...recoveries].sort((a, b) => b.ms - a.ms)
    if (slowest !== undefined) {
      const { what, way, at, ms } = slowest
      tell(
        `The slowest recovery: ${what}, of a worker ${way} that died at ${new Date(at).toISOString()}, ${(ms / 1_000).toFixed(2)} s.`,
      )
      if (ms > slowRecoveryMs) tell(await dumpStuck(stage.parts.server, [what.split(' ')[0]!]))
    }
    return {
      seed,
      seconds: loaded,
      calm: options.calm,
      leaseSeconds: options.leaseSeconds,
      ...(await countsOf(stage)),
      faults: {
        ...(stage.parts.previous && { 'worker of the previous version': 1 }),
        ...countFaults(nemesis.done),
      },
      missed: nemesis.missed,
      missing: Object.fromEntries(missing),
      acknowledged: load.acknowledged.runs.length + load.acknowledged.deliveries.length,
      refused: load.refused,
      lost: verdict.lost,
      endedTwice: verdict.endedTwice,
      duplicateEffects: verdict.duplicateEffects,
      capsExceeded: verdict.capsExceeded,
      outside: stage.parts.outside.counts,
      repeatedMost: nemesis.done.reduce((sum, { busy }) => sum + busy, 0),
      recoveries: [true, false].map((alone) => {
        const these = alone ? undisturbed(recoveries, nemesis.done) : recoveries
        const of = (pooled: boolean) =>
          these.filter(({ way }) => (way === 'by PgBouncer') === pooled).map(({ ms }) => ms)
        return { alone, locked: figureOf(of(false)), pooled: figureOf(of(true)) }
      }),
      backAfterRestart: figureOf(nemesis.server.backAfterRestart),
      backAfterListener: figureOf(nemesis.server.backAfterListener),
      growths: soak.growths,
      backends: soak.backends,
      stuck: detector.found,
      evidence: await evidenceOf(stage, [...load.broken, ...verdict.broken]),
      broken: [
        ...load.broken,
        ...verdict.broken,
        ...stage.parts.seats.flatMap(({ unexpected }) => unexpected),
      ],
    }
  } finally {
    await stage.close()
  }
}

function countFaults(done: readonly Done[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of done) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

async function countsOf({
  parts: { server },
}: Stage): Promise<Pick<Report, 'runs' | 'attempts' | 'reclaimed' | 'megabytes'>> {
  const [row] = await server.query<Pick<Report, 'runs' | 'attempts' | 'reclaimed' | 'megabytes'>>(
    `select (pg_database_size(current_database()) / 1048576)::int as megabytes, (select count(*)::int from millrace.run) as runs, count(*)::int as attempts,
            (count(*) filter (where outcome = 'reclaimed'))::int as reclaimed from millrace.attempt`,
  )
  return row!
}

/** All that is known of the runs that these sentences name. */
async function evidenceOf({ parts: { server } }: Stage, broken: readonly string[]): Promise<string> {
  const runs = new Set(
    broken.flatMap((sentence) => sentence.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? []),
  )
  return runs.size === 0 ? '' : dumpStuck(server, [...runs])
}

/** The schedules fire no more, and each change has its run. */
async function settleTriggers(stage: Stage, isOver: () => boolean): Promise<void> {
  for (const name of ['chaos-each', 'chaos-alone']) await stage.parts.client.schedules.pause(name)
  for (let left = 1; left > 0 && !isOver(); await pause(100)) {
    const [row] = await stage.parts.server.query<{ left: number }>(
      'select count(*)::int as left from millrace.change',
    )
    left = row!.left
  }
}

/** Looks once a second whether something should have gone on long ago. */
class Detector {
  /** All that may say why. */
  found: string | undefined
  readonly #pool: pg.Pool
  readonly #seats: Stage['parts']['seats']
  /** Since when there is a worker for everything: without one, nothing has to go on. */
  #servedSince = performance.now()
  #stopped = false

  constructor({ parts: { pool, seats } }: Stage) {
    this.#pool = pool
    this.#seats = seats
  }

  async watch(onFound: () => void): Promise<void> {
    const sql = {
      query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
        (await this.#pool.query<Row>(text, values)).rows,
    }
    for (; !this.#stopped; await pause(lookMs)) {
      if (!this.#isServed) this.#servedSince = performance.now()
      if (performance.now() - this.#servedSince < stuckSeconds * 1_000) continue
      try {
        const stuck = await findStuck(sql, stuckSeconds)
        if (stuck.length === 0) continue
        const runs = [...new Set(stuck.map(({ run_id: run }) => run))]
        this.found = `${stuck.map(({ run_id: run, what }) => `${run}: ${what}`).join('\n')}\n${await dumpStuck(sql, runs)}`
        onFound()
        return
      } catch {
        // The server is away: nothing can be said of anything.
      }
    }
  }

  stop(): void {
    this.#stopped = true
  }

  get #isServed(): boolean {
    const well = this.#seats.filter(({ wellSince }) => wellSince !== undefined)
    return new Set(well.map(({ generation }) => generation)).size > 1
  }
}
