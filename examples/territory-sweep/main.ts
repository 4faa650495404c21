// What npm start runs: all territories at once on a PostgreSQL of its own, with progress, result and one account.
import { dirname, join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import colors from 'picocolors'
import { tellAccount } from '../../src/core/account.ts'
import { onStopSignal } from '../../src/cli/stop-signals.ts'
import { runAccount } from '../../src/db/accounts.ts'
import { poolCaller } from '../../src/db/call.ts'
import { migrate } from '../../src/db/migrate.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/server.ts'
import { count } from '../../src/core/wording.ts'
import { connect } from '../../src/sdk/index.ts'
import { startWorker } from '../../src/worker/index.ts'
import { territories } from './data.ts'
import { grouped, type Progress, progressDisplay, readProgress } from './progress.ts'
import { countReport, readRunToTell, readTopTerritories, territoryTable } from './report.ts'
import { createReportTable } from './schema.ts'
import { territorySweep } from './territory-sweep.ts'

const here = dirname(fileURLToPath(import.meta.url))
const say = (text = ''): void => void process.stdout.write(`${text}\n`)

/** More than the default: these tasks compute for some microseconds, and the more of them run, the more share a commit. */
const slots = 50

const usage = `npm start -- [--exit] [--directory FOLDER]

  --exit              end when the sweep is done; otherwise the worker stays up
  --directory FOLDER  where the embedded PostgreSQL keeps its data

With DATABASE_URL set, the sweep runs on that database instead.`

/** Aborted by the first signal, and when nobody reads our output any more. */
const stopping = new AbortController()
/** What was opened, to be closed in the opposite order. */
const opened: Array<() => Promise<unknown>> = []
let embedded: EmbeddedPostgres | undefined

process.exitCode = await main()

async function main(): Promise<number> {
  const options = readOptions()
  if (typeof options === 'number') return options
  heedSignals()
  try {
    const database = await openDatabase(options.directory)
    const failed = await sweepAll(database)
    if (stopping.signal.aborted) return interrupted()
    if (failed === 0 && !options.exit) await stayUp()
    return failed === 0 ? 0 : 1
  } catch (error) {
    if (stopping.signal.aborted) return interrupted()
    process.stderr.write(`${sentences(error)}\n`)
    return 1
  } finally {
    for (const close of opened.reverse()) await close()
  }
}

function readOptions(): { exit: boolean; directory: string } | number {
  try {
    const { values } = parseArgs({
      options: {
        exit: { type: 'boolean', default: false },
        directory: { type: 'string', default: join(here, '.millrace') },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (!values.help) return values
    say(usage)
    return 0
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}\n`)
    return 2
  }
}

function heedSignals(): void {
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping.signal.aborted) void endNow(signal)
    stopping.abort()
  }
  onStopSignal(process, stop, { signals: ['SIGINT', 'SIGTERM', 'SIGHUP'] })
  process.stdout.on('error', () => stopping.abort())
}

/** Who asks twice doesn't want to wait for the worker; what it held is reclaimed by the next one. PostgreSQL would outlive us. */
async function endNow(signal: NodeJS.Signals): Promise<void> {
  await embedded?.release()
  process.exit(signal === 'SIGINT' ? 130 : 143)
}

function interrupted(): number {
  say('\nStopped. What is not finished goes on with the next npm start.')
  return 130
}

function sentences(error: unknown): string {
  const { message, hint } = error as Error & { hint?: string }
  return hint === undefined ? message : `${message}\n${hint}`
}

interface Database {
  readonly url: string
  readonly pool: pg.Pool
}

/** The database with Millrace's schema and the report's table in it. */
async function openDatabase(directory: string): Promise<Database> {
  const url = process.env['DATABASE_URL'] || (await openEmbedded(directory))
  await migrate({ connectionString: url })
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  pool.on('error', () => {})
  opened.push(() => pool.end())
  await createReportTable(pool)
  return { url, pool }
}

async function openEmbedded(directory: string): Promise<string> {
  const server = await startEmbeddedPostgres({ directory })
  embedded = server
  opened.push(() => server.release())
  const folder = server.relocated ? server.directory : relative(process.cwd(), server.directory)
  say(`${server.adopted ? 'Joined' : 'Started'} an embedded PostgreSQL; its data are in`)
  say(`  ${folder}${server.relocated ? ' (the project is closed to its user)' : ''}`)
  return server.url
}

/** Sweeps every territory, and says what came of it. Answers how many runs failed. */
async function sweepAll(database: Database): Promise<number> {
  const client = connect({ database: database.url })
  opened.push(() => client.close())
  const worker = await startWorker({ database: database.url, pipelines: [territorySweep], slots })
  opened.push(() => worker.stop())
  const before = await countReport(database.pool)
  const begun = performance.now()
  const inputs = [...territories().keys()].sort().map((state) => ({ state }))
  const answers = await client.startMany(territorySweep, inputs)
  const runIds = answers.flatMap(({ run }) => run?.id ?? [])
  const continued = answers.filter(({ created }) => !created).length
  sayWhatWasThere(before.airports, continued)
  const { failed } = await watch(database.pool, runIds)
  if (stopping.signal.aborted) return failed
  const seconds = (performance.now() - begun) / 1000
  await sayResult(database, { failed, seconds, tasks: continued > 0 ? undefined : taskCount() })
  return failed
}

/** At most one run of a territory is live: what an interrupted sweep left is answered by its run, not by a second one. */
function sayWhatWasThere(airports: number, continued: number): void {
  if (continued > 0) {
    say(`${count(continued, 'run was', 'runs were')} in progress already. What a killed worker held is`)
    say('taken over once its lease of ten seconds has run out.')
  } else if (airports > 0) {
    say(`The report of the last sweep (${grouped(airports)} airports) is replaced by a new one.`)
  }
}

function airportCount(): number {
  return [...territories().values()].reduce((sum, count) => sum + count, 0)
}

/** A task an airport, and one for each other step of a run. */
function taskCount(): number {
  return airportCount() + territories().size * (territorySweep.graph.steps.length - 1)
}

/** Shows the progress until all of the runs have ended, or until we are told to stop. */
async function watch(pool: pg.Pool, runIds: readonly string[]): Promise<Progress> {
  let progress = await readProgress(pool, runIds)
  while (progress.begun === 0 && !stopping.signal.aborted) {
    await pause(10)
    progress = await readProgress(pool, runIds)
  }
  say(
    `\n${runIds.length} runs; the first began ${(performance.now() / 1000).toFixed(1)} s after this program.`,
  )
  const display = progressDisplay(process.stdout, { airports: airportCount(), territories: runIds.length })
  for (;;) {
    display.show(progress)
    if (progress.territories === runIds.length || stopping.signal.aborted) break
    await pause(100, undefined, { signal: stopping.signal }).catch(() => {})
    progress = await readProgress(pool, runIds)
  }
  display.end()
  return progress
}

async function sayResult(
  { url, pool }: Database,
  { failed, seconds, tasks }: { failed: number; seconds: number; tasks: number | undefined },
): Promise<void> {
  const { airports, territories } = await countReport(pool)
  const rate = tasks === undefined ? '' : ` (${grouped(Math.round(tasks / seconds))} tasks/s)`
  say(
    `\n${grouped(airports)} airports in ${territories} states and territories, in ${seconds.toFixed(1)} s${rate}.`,
  )
  if (failed > 0) say(`${failed} of the runs failed: npx millrace run list --state failed`)
  say(
    territoryTable(await readTopTerritories(pool, 10), {
      colors: process.stdout.isTTY && colors.isColorSupported,
    }),
  )
  const told = await readRunToTell(pool)
  if (told === undefined) return
  const account = await runAccount(poolCaller(pool, { prepare: false, database: url }), told.id)
  say(`\n${colors.bold(`The account of one of the runs, ${told.state}:`)}\n\n${tellAccount(account)}`)
  sayHowToGoOn(told.id)
}

function sayHowToGoOn(runId: string): void {
  say(`${colors.bold('How to go on')}
  cd ${relative(process.cwd(), here) || '.'}
  npx millrace run list
  npx millrace run account ${runId}
  npx millrace pipeline show territory-sweep
  npx millrace run start territory-sweep '{"state":"TX"}'`)
}

async function stayUp(): Promise<void> {
  say('\nThe worker stays up for more runs. Ctrl-C ends it, and its PostgreSQL with it.')
  await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve, { once: true }))
  say('\nStopped.')
}
