// npm run bench:peers: measures Millrace and its peers by turns, row by row, and prints the table; --refresh writes bench/RESULTS.md.
import { contendersOf } from './contenders.ts'
import { busyShare, busyText, machineText } from './machine.ts'
import { type Options, readOptions, usage } from './options.ts'
import type { Profile } from './peer.ts'
import { peerNames } from './peer-names.ts'
import { keepResults, lossOf, writeResults } from './refresh.ts'
import type { Result } from './result.ts'
import type { RowPlan, Size } from './row.ts'
import { allRows } from './rows/all.ts'
import { openStores, type Stores } from './stores.ts'
import { rowText } from './table.ts'
import { takeTurns } from './turns.ts'
import { checkoutOf } from './versions.ts'

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
  const field = await fieldOf(options)
  const loss = options.refresh ? lossOf(chosen, field.contenders) : undefined
  if (loss !== undefined) {
    console.error(loss)
    return 2
  }
  await measure(chosen, field, options)
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

/** Who takes part, and who could if --peer did not name others. */
type Field = Awaited<ReturnType<typeof fieldOf>>

async function fieldOf({ best, peer }: Options) {
  const profiles: Profile[] = best ? ['best'] : ['best', 'default']
  const all = await contendersOf(undefined, profiles)
  const takesPart = (name: string) => peer?.includes(name) ?? true
  return {
    contenders: all.filter(({ peerName }) => takesPart(peerName)),
    others: all.filter(({ peerName }) => !takesPart(peerName)),
  }
}

async function measure(chosen: readonly RowPlan[], field: Field, options: Options): Promise<void> {
  const checkout = checkoutOf()
  const stores = await openStores()
  const machine = machineText(stores.description)
  try {
    if (!options.json) console.log(`${machine}${options.quick ? '; quick: not to be quoted' : ''}`)
    const all: Result[] = []
    const busy: Record<string, number> = {}
    for (const row of chosen) {
      const share = (busy[row.name] = await busyShare())
      if (!options.json) console.log(`\n${busyText(share)}`)
      const results = await resultsOf(row, field, { stores, options })
      all.push(...results)
      if (!options.json) console.log(rowText(row, results))
      if (options.refresh)
        keepResults({ row, rows: allRows, machine, busyShare: share, checkout, ...field, results })
    }
    if (options.json)
      console.log(JSON.stringify({ machine, busy, quick: options.quick, results: all }, undefined, 2))
  } finally {
    await stores.close()
  }
}

function resultsOf(
  row: RowPlan,
  { contenders }: Field,
  { stores, options: { quick, rounds } }: { readonly stores: Stores; readonly options: Options },
): Promise<Result[]> {
  return takeTurns(row, contenders, {
    stores,
    rounds: quick ? 2 : rounds,
    size: sizeOf(quick),
    tell: (text) => console.error(text),
  })
}

function sizeOf(quick: boolean): Size {
  return {
    quick,
    of: (full) => (quick ? Math.ceil(full / 10) : full),
    limitMs: quick ? 5_000 : 20_000,
  }
}
