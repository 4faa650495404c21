// npm run bench: measures the figures, each against its floor in the same run, and prints their table.
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { benchOf } from './bench.ts'
import { openServer } from './database.ts'
import type { Figure } from './figure.ts'
import { apiAccount, apiList, apiStarts, apiStreams } from './figures/api.ts'
import { childCall } from './figures/child-call.ts'
import { changes } from './figures/changes.ts'
import { claimUnderSnapshot } from './figures/claim-under-snapshot.ts'
import { durableSteps } from './figures/durable-steps.ts'
import { drain } from './figures/drain.ts'
import { encrypted } from './figures/encrypted.ts'
import { drainBesideHistory } from './figures/drain-beside-history.ts'
import { drainBehindOthers } from './figures/drain-behind-others.ts'
import { fairness } from './figures/fairness.ts'
import { batches10000, fanOut, map10000 } from './figures/fan-out.ts'
import { firstRun } from './figures/first-run.ts'
import { handOver } from './figures/hand-over.ts'
import { idleRun } from './figures/idle-run.ts'
import { idleWorker } from './figures/idle-worker.ts'
import { redrive } from './figures/redrive.ts'
import { limits } from './figures/limits.ts'
import { schedules } from './figures/schedules.ts'
import { serverStart } from './figures/server-start.ts'
import { signalLatency } from './figures/signal-latency.ts'
import { sleepingRuns } from './figures/sleeping-runs.ts'
import { startMany } from './figures/start-many.ts'
import { tenantList } from './figures/tenant-list.ts'
import { threeStepRuns } from './figures/three-step-runs.ts'
import { wakeUp } from './figures/wake-up.ts'
import { webhooks } from './figures/webhooks.ts'
import { writers } from './figures/writers.ts'
import { heading, type Judged, judge, rowText } from './report.ts'
import { statementSettings } from './statements.ts'

const figures: readonly Figure[] = [
  ...threeStepRuns,
  drain,
  startMany,
  wakeUp,
  handOver,
  idleRun,
  drainBesideHistory,
  drainBehindOthers,
  claimUnderSnapshot,
  fanOut,
  limits,
  fairness,
  map10000,
  batches10000,
  durableSteps,
  sleepingRuns,
  redrive,
  signalLatency,
  schedules,
  childCall,
  changes,
  encrypted,
  idleWorker,
  tenantList,
  webhooks,
  apiStarts,
  apiList,
  apiAccount,
  apiStreams,
  serverStart,
  writers,
  firstRun,
]

const usage = `npm run bench -- [options]
  --only NAME        only this figure; may be given several times
  --quick            three rounds and a quarter of the work: shows that it runs, measures little
  --json             the table as JSON
  --cpu-prof FOLDER  CPU profiles of this process, while it does our part
  --statements       what the server spent its time on (with pg_stat_statements)
  --list             the names of the figures
BENCH_DATABASE_URL names a server whose login may create databases, instead of an embedded one.`

process.exitCode = await main()

async function main(): Promise<number> {
  const values = readOptions()
  if (values === undefined) return 2
  const unknown = values.only?.find((name) => figures.every((figure) => figure.name !== name))
  if (unknown !== undefined) {
    console.error(`There is no figure '${unknown}'; there is ${figures.map(({ name }) => name).join(', ')}.`)
    return 2
  }
  if (values.help || values.list) {
    console.log(values.help ? usage : figures.map(({ name }) => name).join('\n'))
    return 0
  }
  const chosen = figures.filter(({ name }) => values.only?.includes(name) ?? true)
  await measureAll(chosen, { ...values, profileFolder: values['cpu-prof'] })
  return 0
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        'cpu-prof': { type: 'string' },
        statements: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return undefined
  }
}

interface Options {
  readonly quick: boolean
  readonly json: boolean
  readonly statements: boolean
  readonly profileFolder: string | undefined
}

async function measureAll(chosen: readonly Figure[], options: Options): Promise<void> {
  const server = await openServer(options.statements ? statementSettings : {})
  const release = onSignal(server.close)
  try {
    const judged: Judged[] = []
    const machine = `Node ${process.versions.node}, ${availableParallelism()} cores, ${server.description}`
    if (!options.json)
      console.log(`${machine}${options.quick ? '; quick: not to be quoted' : ''}\n\n${heading()}`)
    for (const figure of chosen) judged.push(...(await measureOne(figure, server.url, options)))
    if (options.json)
      console.log(JSON.stringify({ machine, quick: options.quick, figures: judged }, undefined, 2))
  } finally {
    release()
    await server.close()
  }
}

async function measureOne({ name, measure }: Figure, serverUrl: string, options: Options): Promise<Judged[]> {
  const { quick, json, profileFolder } = options
  const bench = benchOf({
    serverUrl,
    quick,
    figure: name,
    profileFolder: profileFolder === undefined ? undefined : path.resolve(profileFolder),
    statements: options.statements ? (text) => console.error(text) : undefined,
  })
  const judged = (await measure(bench)).map((row) => judge(name, row))
  if (!json) for (const row of judged) console.log(rowText(row))
  return judged
}

/** A second signal ends at once, and leaves the folder behind. */
function onSignal(close: () => Promise<void>): () => void {
  const end = () => void close().finally(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end)
  }
}
