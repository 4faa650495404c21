// A run of chaos from its beginning to its report: four workers, a load, a nemesis, a detector of what is stuck, and the verdict.
import { setTimeout as pause } from 'node:timers/promises'
import { applyWatches } from '../watched.ts'
import { findBrokenInvariants, ofWorkers } from '../checker.ts'
import { absences, type Busy, callRoll, restsOf, servedSeconds } from './attendance.ts'
import { findDelays } from './delays.ts'
import { Detector } from './detector.ts'
import type { Endings } from './endings.ts'
import { Load } from './load.ts'
import { Nemesis, type Tried } from './nemesis.ts'
import { watchName } from './pipelines.ts'
import { planFaults } from './plan.ts'
import type { Return } from './returns.ts'
import { figureOf, recoveriesOf, type Recovery, undisturbed } from './recovery.ts'
import { Soak } from './soak.ts'
import { Stage } from './stage.ts'
import { dumpStuck } from './stuck.ts'
import { countCalls } from './outside.ts'
import { judge } from './verdict.ts'
import { countSeen, judgeLoad } from './verdict-load.ts'
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
  /** What it opens ends with these, whoever closes them. */
  readonly endings: Endings
}

const slots = 10
/** Within which, beyond a lease, each worker has begun a task, once all is in order again. */
const rollMs = 10_000
/** Within which what is live has been counted anew. */
const countedMs = 1_000
/** Within which it is calm for long enough once no more faults come. */
const calmMs = 120_000
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
  try {
    const stage = await Stage.open({ ...options, slots }, options.endings)
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
    const played = await play(cast)
    const broken = await settleAll(cast, endWatch)
    return await reportOf(cast, { ...played, broken: [...played.absent, ...broken] })
  } finally {
    await options.endings.close()
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

interface Played {
  /** In which there was load. */
  readonly busy: Busy
  /** What was broken as all was in order again. */
  readonly absent: readonly string[]
}

/** The load and the faults of the plan, until all is in order again and each worker has begun a task. */
async function play(cast: Cast): Promise<Played> {
  const { stage, options, nemesis, load } = cast
  const ms = options.seconds * 1_000
  const plan = planFaults({
    seed: options.seed,
    ms: options.calm ? 0 : ms,
    everyMs: options.everySeconds * 1_000,
    seats: stage.parts.seats.length,
    without: new Set(stage.missing.keys()),
  })
  const from = new Date()
  const loading = load.run()
  try {
    await (options.calm ? Promise.race([pause(ms), loading]) : nemesis.carryOut(plan, ms))
    const seconds = (Date.now() - from.getTime()) / 1_000
    options.tell(`All is in order again after ${seconds.toFixed(0)} s; ${load.live} runs are live.`)
    const { server, seats } = stage.parts
    const again = load.askAgain()
    // Without load nobody has anything to begin.
    const absent = load.isStopped ? [] : await callRoll(server, seats, rollMs + 1_000 * options.leaseSeconds)
    await again
    if (!options.calm) await calmAtLast(cast)
    return { busy: { from, to: new Date() }, absent }
  } finally {
    load.stop()
    await loading
  }
}

/** The load goes on until it was calm for long enough to see whether anything is stuck. */
async function calmAtLast({ load, detector }: Cast): Promise<void> {
  const looksBefore = detector.looks
  const giveUpAt = performance.now() + calmMs
  while (detector.looks === looksBefore && !load.isStopped && performance.now() < giveUpAt) await pause(100)
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
  { busy, broken }: { readonly busy: Busy; readonly broken: readonly string[] },
): Promise<Report> {
  const { server, seats, previous, outside } = stage.parts
  const verdict = await judge(server, load.acknowledged, load.pipelines)
  const ofLoad = await judgeLoad(server, { ...load.doneToRuns, calls: outside.heard })
  const delays = await findDelays(server, detector.calm)
  options.tell('All promises are checked.')
  const recoveries = await recoveriesOf(
    server,
    seats.flatMap(({ deaths }) => deaths),
  )
  await tellSlowest(stage, recoveries, options.tell)
  tellSlowReturns(nemesis.server.returns.seen, options.tell)
  const rests = await restsOf(server, seats, busy)
  const promises = [
    ...load.tally.broken,
    ...detector.broken,
    ...broken,
    ...absences(rests, nemesis.tried, options.leaseSeconds),
    ...verdict.broken,
    ...ofLoad,
    ...delays,
  ]
  return {
    seed: options.seed,
    seconds: (busy.to.getTime() - busy.from.getTime()) / 1_000,
    calm: options.calm,
    leaseSeconds: options.leaseSeconds,
    ...(await countsOf(stage)),
    faults: {
      ...(previous && { 'worker of the previous version': 1 }),
      ...countFaults(nemesis.done),
    },
    missed: nemesis.missed.map(({ kind, reason }) => ({ kind, reason })),
    missing: Object.fromEntries(stage.missing),
    acknowledged: load.acknowledged.runs.length + load.acknowledged.deliveries.length,
    asked: load.tally.asked,
    refused: load.tally.refusals,
    seen: {
      ...(await countSeen(server)),
      signals: new Set(load.doneToRuns.signals).size,
      cancelled: load.doneToRuns.cancelled.length,
    },
    lost: verdict.lost,
    endedTwice: verdict.endedTwice,
    duplicateEffects: verdict.duplicateEffects,
    capsExceeded: verdict.capsExceeded,
    outside: countCalls(outside.heard),
    recoveries: [true, false].map((alone) =>
      recoveryFigures(
        alone,
        alone
          ? undisturbed(recoveries, { faults: nemesis.tried, seats, leaseSeconds: options.leaseSeconds })
          : recoveries,
      ),
    ),
    backAfterRestart: figureOf(nemesis.server.returns.seen.map(({ ms }) => ms)),
    backAfterListener: figureOf(nemesis.server.backAfterListener),
    longestRestSeconds: Math.max(0, ...rests.map((rest) => servedSeconds(rest, nemesis.tried))),
    growths: soak.growths,
    backends: soak.backends,
    stuck: detector.found,
    looks: detector.looks,
    calmSeconds: detector.calm.all / 1_000,
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

function countFaults(done: readonly Tried[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of done) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

type Counts = Pick<Report, 'runs' | 'attempts' | 'reclaimed' | 'megabytes' | 'deadlocks'>

async function countsOf({ parts: { server } }: Stage): Promise<Counts> {
  const [row] = await server.query<Counts>(
    `select (pg_database_size(current_database()) / 1048576)::int as megabytes, (select deadlocks::int from pg_stat_database where datname = current_database()) as deadlocks, (select count(*)::int from millrace.run) as runs, count(*)::int as attempts,
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
