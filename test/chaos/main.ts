// npm run chaos: plays a plan of faults against four workers under load, and says which promise was broken.
import { spawn, spawnSync } from 'node:child_process'
import { constants, tmpdir } from 'node:os'
import { type Arguments, Misuse, readArguments, usage } from './arguments.ts'
import { runChaos } from './chaos.ts'
import { Endings } from './endings.ts'
import { planFaults } from './plan.ts'
import { measureReconnects, reconnectFaults, reconnectLines } from './reconnects.ts'
import { faultsOf, figure, reportLines } from './report.ts'
import { measureTakeover } from './takeover.ts'

const isMounting = process.env['MILLRACE_CHAOS_MOUNTS'] === '1'
const misused = 2
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const given = argumentsOrSentence()
if (given === undefined) process.exitCode = misused
else if (given.help) console.log(usage)
else if (given.plan) printPlan(given)
else if (given.takeover === undefined && given.cuts === undefined && mayMount())
  process.exitCode = await runWithMounts()
// At once: Node would first wait for requests that the nemesis has cut off in the middle, some of which nobody ever answers.
else process.exit(await runUntilSignal(given))

function argumentsOrSentence(): Arguments | undefined {
  try {
    return readArguments(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof Misuse)) throw error
    console.error(error.message)
    return undefined
  }
}

/** A disk that fills up is mounted where nobody else sees it, and so in a program of its own. */
function mayMount(): boolean {
  if (isMounting || process.platform !== 'linux') return false
  const mounting = ['--mount', 'mount', '-t', 'tmpfs', 'chaos', tmpdir()]
  return spawnSync('unshare', mounting, { stdio: 'ignore' }).status === 0
}

function runWithMounts(): Promise<number> {
  const args = ['--mount', process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn('unshare', args, {
    stdio: 'inherit',
    env: { ...process.env, MILLRACE_CHAOS_MOUNTS: '1' },
  })
  // Ctrl-C reaches both of us at the terminal.
  const isHeardByAll = (signal: NodeJS.Signals) => process.stdin.isTTY && signal !== 'SIGTERM'
  for (const signal of signals) process.on(signal, () => isHeardByAll(signal) || child.kill(signal))
  return new Promise((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal!])),
  )
}

/** Nothing of it is left behind, by whatever signal it is ended, and whenever: who asks for it twice is heard once. */
function runUntilSignal(asked: Arguments): Promise<number> {
  const endings = new Endings()
  const begun = performance.now()
  let isOver = false
  const tell = (line: string) => {
    if (isOver) return
    process.stderr.write(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(7)} s  ${line}\n`)
  }
  const interrupted = new Promise<number>((resolve, reject) => {
    for (const signal of signals)
      process.on(signal, () => {
        isOver = true
        endings.close().then(() => resolve(128 + constants.signals[signal]), reject)
      })
  })
  const played = play(asked, { endings, tell }).catch((error: unknown) => {
    // What fails because all is ended is no news.
    if (isOver) return interrupted
    throw error
  })
  return Promise.race([interrupted, played])
}

interface Playing {
  readonly endings: Endings
  readonly tell: (line: string) => void
}

function play(asked: Arguments, playing: Playing): Promise<number> {
  if (asked.takeover !== undefined) return runTakeover(asked, asked.takeover, playing)
  if (asked.cuts !== undefined) return runReconnects(asked, asked.cuts, playing)
  return run(asked, playing)
}

async function runTakeover({ seed, pooled }: Arguments, kills: number, playing: Playing): Promise<number> {
  const took = await measureTakeover({ ...playing, seed, kills, isPooled: pooled })
  const where = took.isPooled ? 'behind PgBouncer' : 'directly'
  console.log(
    `A killed worker's task begins elsewhere, ${where}: ${figure(took)}; goal p99 ${took.secondsMax} s.`,
  )
  return took.p99 <= 1_000 * took.secondsMax ? 0 : 1
}

async function runReconnects({ seed, json }: Arguments, cuts: number, playing: Playing): Promise<number> {
  const reconnects = await measureReconnects({ ...playing, seed, cuts })
  const faults = reconnectFaults(reconnects)
  console.log(json ? JSON.stringify(reconnects) : [...reconnectLines(reconnects), ...faults].join('\n'))
  return faults.length === 0 ? 0 : 1
}

async function run(asked: Arguments, { endings, tell }: Playing): Promise<number> {
  const { seed } = asked
  tell(`seed ${seed}`)
  const report = await runChaos({
    seed,
    seconds: 60 * asked.minutes,
    calm: asked.calm,
    rate: asked.rate,
    liveMax: asked.live,
    light: asked.light,
    leaseSeconds: asked.lease,
    heartbeatMs: 500,
    everySeconds: asked.every,
    diskMegabytes: asked.disk,
    previous: asked.previous,
    tell,
    endings,
  })
  const faults = faultsOf(report)
  const said = faults.length === 0 ? ['Every promise was kept.'] : [...faults, `Broken: ${faults.length}.`]
  const lines = [...reportLines(report), '', ...said]
  if (asked.json) process.stderr.write(`${lines.join('\n')}\n`)
  console.log(asked.json ? JSON.stringify(report) : lines.join('\n'))
  return faults.length === 0 ? 0 : 1
}

function printPlan({ seed, minutes, every }: Arguments): void {
  const plan = planFaults({
    seed,
    ms: minutes * 60_000,
    everyMs: every * 1_000,
    seats: 4,
    without: new Set(),
  })
  for (const { kind, at, seat, strength } of [...plan.workers, ...plan.server, ...plan.ends].sort(
    (a, b) => a.at - b.at,
  ))
    console.log(
      `${(at / 1_000).toFixed(1).padStart(7)} s  ${kind}, seat ${seat}, strength ${strength.toFixed(2)}`,
    )
}
