// npm run bench: measures the figures, each against its floor in the same run, and prints their table.
import fs from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { benchOf } from './bench.ts'
import { openServer } from './database.ts'
import { Ending } from './ending.ts'
import { figures } from './all-figures.ts'
import { compareAll } from './compare.ts'
import { comparisonHeading } from './comparison.ts'
import type { Figure } from './figure.ts'
import { firstRun } from './figures/first-run.ts'
import { type Options, readOptions, usage } from './options.ts'
import { heading, type Judged, judge, rowText } from './report.ts'
import { buildRevision } from './revision.ts'
import { statementSettings } from './statements.ts'

/** What is about a checkout itself has no second one to be measured in. */
const notCompared: readonly Figure[] = [firstRun]

/** Both checkouts have their workers and clients connected at once, of some figures more than a fresh install takes. */
const bothSettings = { max_connections: '300' }

process.exitCode = await main()

async function main(): Promise<number> {
  const names = figures.map(({ name }) => name)
  const options = readOptions(process.argv.slice(2), names)
  if (typeof options === 'string') return refuse(options)
  if (options.help || options.list) {
    console.log(options.help ? usage : names.join('\n'))
    return 0
  }
  const chosen = figures.filter(({ name }) => options.only?.includes(name) ?? true)
  const ending = new Ending()
  try {
    if (options.compare === undefined) return await measureAll(chosen, options, ending)
    return await compareWith(options.compare, chosen, options, ending)
  } finally {
    await ending.run()
  }
}

function refuse(sentence: string): number {
  console.error(sentence)
  return 2
}

async function compareWith(
  name: string,
  chosen: readonly Figure[],
  { quick, json }: Options,
  ending: Ending,
): Promise<number> {
  const compared = chosen.filter((figure) => !notCompared.includes(figure))
  if (compared.length === 0)
    return refuse(`'${chosen[0]?.name}' is about a checkout itself, and can't be measured in two.`)
  const revision = await buildRevision(name, ending).catch((error: Error) => error.message)
  if (typeof revision === 'string') return refuse(revision)
  const server = await openServer(bothSettings, ending)
  const machine = describeMachine(server.description)
  if (!json)
    console.log(
      `${machine}${quick ? '; quick: not to be quoted' : ''}\nbefore: ${revision.description}\n\n${comparisonHeading()}`,
    )
  const print = json ? () => {} : console.log
  const comparison = await compareAll(compared, {
    serverUrl: server.url,
    quick,
    folder: revision.folder,
    print,
  })
  if (json)
    console.log(JSON.stringify({ machine, quick, before: revision.description, ...comparison }, undefined, 2))
  return comparison.faults.some(({ side }) => side === 'now') ? 1 : 0
}

function describeMachine(server: string): string {
  return `Node ${process.versions.node}, ${availableParallelism()} cores, ${server}`
}

/** A figure that fails costs its own rows, and the status; not the hour of all the others. */
async function measureAll(chosen: readonly Figure[], options: Options, ending: Ending): Promise<number> {
  const profileFolder = options['cpu-prof'] === undefined ? undefined : path.resolve(options['cpu-prof'])
  if (profileFolder !== undefined && !canBeFolder(profileFolder))
    return refuse(`No profiles can be written into ${profileFolder}: name a folder of yours.`)
  const { quick, json, statements } = options
  const server = await openServer(statements ? statementSettings : {}, ending)
  const machine = describeMachine(server.description)
  if (!json) console.log(`${machine}${quick ? '; quick: not to be quoted' : ''}\n\n${heading()}`)
  const judged: Judged[] = []
  const faults: { figure: string; fault: string }[] = []
  for (const figure of chosen) {
    try {
      judged.push(...(await measureOne(figure, { serverUrl: server.url, profileFolder, options })))
    } catch (error) {
      console.error(error)
      faults.push({ figure: figure.name, fault: error instanceof Error ? error.message : String(error) })
    }
  }
  if (json) console.log(JSON.stringify({ machine, quick, figures: judged, faults }, undefined, 2))
  else
    for (const { figure, fault } of faults) console.log(`${figure}: not measured, since it failed: ${fault}`)
  return faults.length > 0 ? 1 : 0
}

function canBeFolder(folder: string): boolean {
  try {
    fs.mkdirSync(folder, { recursive: true })
    fs.accessSync(folder, fs.constants.W_OK)
    return true
  } catch {
    return false
  }
}

interface Place {
  readonly serverUrl: string
  readonly profileFolder: string | undefined
  readonly options: Options
}

async function measureOne({ name, measure }: Figure, place: Place): Promise<Judged[]> {
  const { serverUrl, profileFolder, options } = place
  const { quick, json } = options
  const statements = options.statements ? (text: string) => console.error(text) : undefined
  const bench = benchOf({ serverUrl, quick, figure: name, profileFolder, statements })
  const judged = (await measure(bench)).map((row) => judge(name, row))
  if (!json) for (const row of judged) console.log(rowText(row))
  return judged
}
