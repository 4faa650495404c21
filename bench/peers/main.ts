// npm run bench:peers: measures Millrace and its peers by turns, row by row, and prints the table; --refresh writes bench/RESULTS.md.
import { availableParallelism, cpus, release, totalmem, type as system } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { contendersOf } from './contenders.ts'
import { busyMark } from './kept.ts'
import { type Options, readOptions, usage } from './options.ts'
import type { Profile } from './peer.ts'
import { peerNames } from './peers.ts'
import { keepResults, writeResults } from './refresh.ts'
import type { Result } from './result.ts'
import type { RowPlan, Size } from './row.ts'
import { allRows } from './rows/all.ts'
import { openStores } from './stores.ts'
import { rowText } from './table.ts'
import { takeTurns } from './turns.ts'
import { versionsOf } from './versions.ts'

/** For how long it is looked at, and how much of it may be at work. */
const busyMs = 3_000
const busyShareMax = 0.1

process.exitCode = await main()

async function main(): Promise<number> {
  const options = optionsOrFault()
  if (options === undefined) return 2
  if (options.help || options.list) {
    console.log(options.help ? usage : listText())
    return 0
  }
  if (options.rewrite) {
    writeResults()
    return 0
  }
  const chosen = allRows.filter(
    ({ name, long }) => options.only?.includes(name) ?? (long !== true || options.long),
  )
  await measure(chosen, options)
  return 0
}

function optionsOrFault(): Options | undefined {
  try {
    return readOptions(process.argv.slice(2), { rows: allRows.map(({ name }) => name), peers: peerNames })
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return undefined
  }
}

function listText(): string {
  return `rows   ${allRows.map(({ name }) => name).join(', ')}\npeers  ${peerNames.join(', ')}`
}

async function measure(chosen: readonly RowPlan[], options: Options): Promise<void> {
  const profiles: Profile[] = options.best ? ['best'] : ['best', 'default']
  const contenders = await contendersOf(options.peer, profiles)
  const busy = await busyShare()
  const stores = await openStores()
  const release = onSignal(stores.close)
  const machine = machineText(stores.description, busy)
  try {
    if (!options.json) console.log(`${machine}${options.quick ? '; quick: not to be quoted' : ''}`)
    const all: Result[] = []
    for (const row of chosen) {
      const results = await takeTurns(row, contenders, {
        stores,
        rounds: options.quick ? 2 : options.rounds,
        size: sizeOf(options.quick),
        tell: (text) => console.error(text),
      })
      all.push(...results)
      if (!options.json) console.log(rowText(row, results))
      // Row by row, so that an hour's work is kept when the next row fails.
      if (options.refresh)
        keepResults({ row, rows: allRows, machine, contenders, versions: versionsOf(contenders), results })
    }
    if (options.json)
      console.log(JSON.stringify({ machine, quick: options.quick, results: all }, undefined, 2))
    if (options.refresh) writeResults()
  } finally {
    release()
    await stores.close()
  }
}

function sizeOf(quick: boolean): Size {
  return {
    quick,
    of: (full) => (quick ? Math.ceil(full / 10) : full),
    limitMs: quick ? 5_000 : 20_000,
  }
}

function machineText(stores: string, busy: number): string {
  const [cpu] = cpus()
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GB`
  return [
    `${availableParallelism()} cores (${cpu?.model.trim() ?? '?'}), ${memory}, ${system()} ${release()}`,
    `Node ${process.versions.node}; ${stores}; ${busyText(busy)}`,
  ].join(', ')
}

/** Whoever measures on a busy machine is told so, and so are the readers of the page. */
function busyText(busy: number): string {
  const share = `${Math.round(100 * busy)} % of it were at work before`
  return busy <= busyShareMax
    ? share
    : `${share}, ${busyMark}: values are low and lie far apart, costs and ratios say more`
}

/** The share of all processors that is at work while nothing of this has begun. */
async function busyShare(): Promise<number> {
  const before = processorTime()
  await pause(busyMs)
  const after = processorTime()
  return 1 - (after.idle - before.idle) / (after.all - before.all)
}

function processorTime(): { readonly idle: number; readonly all: number } {
  const times = cpus().map(({ times: one }) => one)
  const all = times.flatMap((one) => Object.values(one)).reduce((sum, ms) => sum + ms, 0)
  return { idle: times.reduce((sum, one) => sum + one.idle, 0), all }
}

/** A second signal ends at once, and leaves the folders behind. */
function onSignal(close: () => Promise<void>): () => void {
  const end = () => void close().finally(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end)
  }
}
