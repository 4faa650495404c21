// A run of chaos from its beginning to its report: four workers, a load, a nemesis, a detector of what is stuck, and the verdict.
import { setTimeout as pause } from 'node:timers/promises'
import { applyWatches } from '../watched.ts'
import { findBrokenInvariants, ofWorkers } from '../checker.ts'
import { Detector } from './detector.ts'
import { Load } from './load.ts'
import { type Done, Nemesis } from './nemesis.ts'
import { watchName } from './pipelines.ts'
import { planFaults } from './plan.ts'
import type { Return } from './server-nemesis.ts'
import { figureOf, recoveriesOf, type Recovery, undisturbed } from './recovery.ts'
import { Soak } from './soak.ts'
import { Stage } from './stage.ts'
import { dumpStuck } from './stuck.ts'
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
/** Within which what is live has been counted anew. */
const countedMs = 1_000
/** A recovery that takes longer is told with the account of its run. */
const slowReturnsTold = 5
const slowRecoveryMs = 30_000
/** Of the disk: with more on it no other run is started, and no other fault begins. */
const diskShareMax = 0.9
/** How long what is left may take once no more faults come. The detector looks for nothing where no workers are there: they may all have ended. */
const settleMs = 300_000

/** All that plays on a stage. */
interface Cast {
  readonly stage: Stage
  readonly options: ChaosOptions
  readonly nemesis: Nemesis
  readonly load: Load
  readonly soak: Soak
  readonly detector: Detector
}

export async function runChaos(options: ChaosOptions): Promise<Report> {
  const stage = await Stage.open({ ...options, slots })
  options.opened(stage)
  try {
    for (const [kind, reason] of stage.missing) options.tell(`Left out: ${kind}, because ${reason}.`)
    await stage.startWorkers()
    await applyWatches(stage.parts, watchName)
    const cast: Cast = {
      stage,
      options,
      nemesis: new Nemesis(stage, options),
      load: new Load(stage, options),
      soak: new Soak(stage.parts.seats, stage.parts.server),
      detector: new Detector({ ...stage.parts, leaseSeconds: options.leaseSeconds }),
    }
    const endWatch = watch(cast)
    const seconds = await play(cast)
    const broken = await settleAll(cast, endWatch)
    return await reportOf(cast, { seconds, broken })
  } finally {
    await stage.close()
  }
}

/** The detector and the soak look until they are told to end; what they find ends the faults and the load. */
function watch({ stage, options, nemesis, load, soak, detector }: Cast): () => Promise<void> {
  const endEarly = () => {
    nemesis.stop()
    load.stop()
  }
  const watching = detector.watch(endEarly)
  const soaking = setInterval(
    () => {
      void soak.sample()
      if (nemesis.isFilling || (stage.parts.disk?.share ?? 0) <= diskShareMax || load.isStopped) return
      options.tell('The disk is nearly full: no other run begins.')
      endEarly()
    },
    options.calm ? 10_000 : 2_000,
  )
  return async () => {
    clearInterval(soaking)
    await soak.sample()
    detector.stop()
    await watching
  }
}

/** The load and the faults of the plan, until all is in order again. Answers with the seconds that it took. */
async function play({ stage, options, nemesis, load }: Cast): Promise<number> {
  const ms = options.seconds * 1_000
  const plan = planFaults({
    seed: options.seed,
    ms: options.calm ? 0 : ms,
    everyMs: options.everySeconds * 1_000,
    seats: stage.parts.seats.length,
    without: new Set(stage.missing.keys()),
  })
  const begun = performance.now()
  const loading = load.run()
  const over = setTimeout(() => load.stop(), ms)
  await Promise.all([loading, options.calm ? loading : nemesis.carryOut(plan, ms)])
  clearTimeout(over)
  const seconds = (performance.now() - begun) / 1_000
  options.tell(`All is in order again after ${seconds.toFixed(0)} s; ${load.live} runs are live.`)
  return seconds
}

/** Until nothing is left to be done, or will not be; then the workers end. Answers with what was broken before they did. */
async function settleAll(
  { stage, options, load, detector }: Cast,
  endWatch: () => Promise<void>,
): Promise<string[]> {
  await pause(countedMs)
  const settleBy = performance.now() + settleMs
  const isOver = () => detector.found !== undefined || performance.now() > settleBy
  await load.settle(isOver)
  await endWatch()
  // What is fired, told and counted beside the runs comes to its end as well.
  await settleTriggers(stage, isOver)
  await load.settle(isOver)
  options.tell(load.live === 0 ? 'All of them have ended.' : `${load.live} runs have not ended.`)
  // While the workers are there: what they hold, and what their connections are at, is gone with them.
  const broken = await findBrokenInvariants(stage.parts.server, [], ofWorkers)
  await Promise.all(stage.parts.seats.map((seat) => seat.stop()))
  return broken
}

async function reportOf(
  { stage, options, nemesis, load, soak, detector }: Cast,
  { seconds, broken }: { readonly seconds: number; readonly broken: readonly string[] },
): Promise<Report> {
  const { server, seats, previous, outside } = stage.parts
  const verdict = await judge(server, load.acknowledged, load.pipelines)
  options.tell('All promises are checked.')
  const recoveries = await recoveriesOf(
    server,
    seats.flatMap(({ deaths }) => deaths),
  )
  await tellSlowest(stage, recoveries, options.tell)
  tellSlowReturns(nemesis.server.returns, options.tell)
  const promises = [...load.tally.broken, ...broken, ...verdict.broken]
  return {
    seed: options.seed,
    seconds,
    calm: options.calm,
    leaseSeconds: options.leaseSeconds,
    ...(await countsOf(stage)),
    faults: {
      ...(previous && { 'worker of the previous version': 1 }),
      ...countFaults(nemesis.done),
    },
    missed: nemesis.missed,
    missing: Object.fromEntries(stage.missing),
    acknowledged: load.acknowledged.runs.length + load.acknowledged.deliveries.length,
    asked: load.tally.asked,
    refused: load.tally.refused,
    lost: verdict.lost,
    endedTwice: verdict.endedTwice,
    duplicateEffects: verdict.duplicateEffects,
    capsExceeded: verdict.capsExceeded,
    outside: outside.counts,
    repeatedMost: nemesis.done.reduce((sum, { busy }) => sum + busy, 0),
    recoveries: [true, false].map((alone) =>
      recoveryFigures(alone, alone ? undisturbed(recoveries, nemesis.done) : recoveries),
    ),
    backAfterRestart: figureOf(nemesis.server.returns.map(({ ms }) => ms)),
    backAfterListener: figureOf(nemesis.server.backAfterListener),
    growths: soak.growths,
    backends: soak.backends,
    stuck: detector.found,
    evidence: await evidenceOf(stage, promises),
    broken: [...promises, ...seats.flatMap(({ unexpected }) => unexpected)],
  }
}

async function tellSlowest(
  { parts: { server } }: Stage,
  recoveries: readonly Recovery[],
  tell: ChaosOptions['tell'],
): Promise<void> {
  const [slowest] = [...recoveries].sort((a, b) => b.ms - a.ms)
  if (slowest === undefined) return
  const { what, way, at, ms } = slowest
  tell(
    `The slowest recovery: ${what}, of a worker ${way} that died at ${new Date(at).toISOString()}, ${(ms / 1_000).toFixed(2)} s.`,
  )
  if (ms > slowRecoveryMs) tell(await dumpStuck(server, [what.split(' ')[0]!]))
}

function tellSlowReturns(returns: readonly Return[], tell: ChaosOptions['tell']): void {
  const slowest = [...returns].sort((a, b) => b.ms - a.ms).slice(0, slowReturnsTold)
  for (const { after, at, last, ms } of slowest) {
    const whom = last.length === 0 ? 'a task to begin' : `workers ${last.join(', ')}`
    tell(
      `Back after ${(ms / 1_000).toFixed(2)} s from ${at.toISOString()}, after '${after}', waiting for ${whom}.`,
    )
  }
}

function recoveryFigures(alone: boolean, recoveries: readonly Recovery[]): Report['recoveries'][number] {
  const of = (pooled: boolean) =>
    figureOf(recoveries.filter(({ way }) => (way === 'by PgBouncer') === pooled).map(({ ms }) => ms))
  return { alone, locked: of(false), pooled: of(true) }
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
