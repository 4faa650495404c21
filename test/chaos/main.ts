// npm run chaos: plays a plan of faults against four workers under load, and says which promise was broken.
import { spawn, spawnSync } from 'node:child_process'
import os from 'node:os'
import { parseArgs } from 'node:util'
import { runChaos } from './chaos.ts'
import { planFaults } from './plan.ts'
import { faultsOf, figure, reportLines } from './report.ts'
import type { Stage } from './stage.ts'
import { measureTakeover } from './takeover.ts'

const usage = `npm run chaos -- [--seed N] [--minutes M]
  --seed N        which plan of faults, and which load; drawn and told unless given
  --minutes M     for how long faults happen; 5
  --rate N        rich runs started in a second: random graphs that wait, call, branch; 20
  --live N        of which so many are live at most; 200
  --light N       light runs started in a second beside them, in bulk; 250
  --every S       mean seconds between two faults of a lane, of which there are three; 4
  --lease S       the lease of the workers; 10, as by default
  --disk N        megabytes of the disk of the server; by the minutes
  --previous REV  of which revision a worker comes beside those of today; HEAD~1
  --takeover N    only: kills N workers with a task each, and measures until it begins elsewhere; with --pooled behind PgBouncer
  --calm          no faults: what an hour of the load uses
  --plan          only prints the plan
  --json          the report as JSON`

/** What the history of a run takes in the database, with its indexes, at most. */
const richKilobytes = 40
const lightKilobytes = 5

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '5' },
    rate: { type: 'string', default: '20' },
    live: { type: 'string', default: '200' },
    light: { type: 'string', default: '250' },
    every: { type: 'string', default: '4' },
    lease: { type: 'string', default: '10' },
    disk: { type: 'string' },
    previous: { type: 'string', default: 'HEAD~1' },
    takeover: { type: 'string' },
    pooled: { type: 'boolean', default: false },
    calm: { type: 'boolean', default: false },
    plan: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000))

if (values.help) console.log(usage)
else if (values.plan) printPlan()
else if (values.takeover !== undefined) process.exitCode = await runTakeover(Number(values.takeover))
else if (mayMount()) process.exitCode = await runWithMounts()
// At once: Node would first wait for requests that the nemesis has cut off in the middle, some of which nobody ever answers.
else process.exit(await run())

/** A disk that fills up is mounted where nobody else sees it, and so in a program of its own. */
function mayMount(): boolean {
  if (process.env['MILLRACE_CHAOS_MOUNTS'] === '1' || process.platform !== 'linux') return false
  return spawnSync('unshare', ['--mount', 'true'], { stdio: 'ignore' }).status === 0
}

function runWithMounts(): Promise<number> {
  const args = ['--mount', process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn('unshare', args, {
    stdio: 'inherit',
    env: { ...process.env, MILLRACE_CHAOS_MOUNTS: '1' },
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)))
}

function teller(): (line: string) => void {
  const begun = performance.now()
  return (line) =>
    process.stderr.write(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(7)} s  ${line}\n`)
}

async function runTakeover(kills: number): Promise<number> {
  const took = await measureTakeover({ seed, kills, isPooled: values.pooled, tell: teller() })
  const where = took.isPooled ? 'behind PgBouncer' : 'directly'
  console.log(
    `A killed worker's task begins elsewhere, ${where}: ${figure(took)}; goal p99 ${took.secondsMax} s.`,
  )
  return took.p99 <= 1_000 * took.secondsMax ? 0 : 1
}

async function run(): Promise<number> {
  const tell = teller()
  tell(`seed ${seed}`)
  const report = await runChaos({
    seed,
    seconds: 60 * minutes,
    calm: values.calm,
    rate: Number(values.rate),
    liveMax: Number(values.live),
    light: Number(values.light),
    leaseSeconds: Number(values.lease),
    heartbeatMs: 500,
    everySeconds: Number(values.every),
    diskMegabytes: Number(values.disk ?? diskMegabytes()),
    previous: values.previous,
    tell,
    opened: endWithIt,
  })
  const faults = faultsOf(report)
  const said = faults.length === 0 ? ['Every promise was kept.'] : [...faults, `Broken: ${faults.length}.`]
  const lines = [...reportLines(report), '', ...said]
  if (values.json) process.stderr.write(`${lines.join('\n')}\n`)
  console.log(values.json ? JSON.stringify(report) : lines.join('\n'))
  return faults.length === 0 ? 0 : 1
}

/** Nothing of it is left behind, by whoever it is ended. */
function endWithIt(stage: Stage): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stage.close().finally(() => process.exit(130)))
}

/** What the history of the runs takes, and never more than half of the memory. */
function diskMegabytes(): number {
  const perSecond = (richKilobytes * Number(values.rate) + lightKilobytes * Number(values.light)) / 1_024
  return Math.floor(Math.min(1_024 + 60 * minutes * perSecond, os.totalmem() / 2 / 1_048_576))
}

function printPlan(): void {
  const plan = planFaults({
    seed,
    ms: minutes * 60_000,
    everyMs: Number(values.every) * 1_000,
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
