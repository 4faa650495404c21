// npm run bench: measures the figures, each against its floor in the same run, and prints their table.
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { benchOf } from './bench.ts'
import { openServer } from './database.ts'
import { Ending } from './ending.ts'
import { figures } from './all-figures.ts'
import { compareAll } from './compare.ts'
import { comparisonHeading } from './comparison.ts'
import type { Figure } from './figure.ts'
import { firstRun } from './figures/first-run.ts'
import { heading, type Judged, judge, rowText } from './report.ts'
import { buildRevision } from './revision.ts'
import { statementSettings } from './statements.ts'

const usage = `npm run bench -- [options]
  --only NAME        only this figure; may be given several times
  --quick            three rounds and a quarter of the work: shows that it runs, measures little
  --json             the table as JSON
  --cpu-prof FOLDER  CPU profiles of this process, while it does our part
  --statements       what the server spent its time on (with pg_stat_statements)
  --compare REV      this checkout beside another revision, by turns, without the floors' goals
  --list             the names of the figures
BENCH_DATABASE_URL names a server whose login may create databases, instead of an embedded one.`

/** What is about a checkout itself has no second one to be measured in. */
const notCompared: readonly Figure[] = [firstRun]

/** Both checkouts have their workers and clients connected at once, of some figures more than a fresh install takes. */
const bothSettings = { max_connections: '300' }

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
  if (values.compare !== undefined) return compareWith(values.compare, chosen, values)
  await measureAll(chosen, { ...values, profileFolder: values['cpu-prof'] })
  return 0
}

async function compareWith(
  name: string,
  chosen: readonly Figure[],
  { quick, json }: Pick<Options, 'quick' | 'json'>,
): Promise<number> {
  const ending = new Ending()
  try {
    const revision = await buildRevision(name, ending).catch((error: Error) => error.message)
    if (typeof revision === 'string') {
      console.error(revision)
      return 2
    }
    const server = await openServer(bothSettings, ending)
    const machine = describeMachine(server.description)
    if (!json)
      console.log(
        `${machine}${quick ? '; quick: not to be quoted' : ''}\nbefore: ${revision.description}\n\n${comparisonHeading()}`,
      )
    const print = json ? () => {} : console.log
    const compared = await compareAll(
      chosen.filter((figure) => !notCompared.includes(figure)),
      { serverUrl: server.url, quick, folder: revision.folder, print },
    )
    if (json)
      console.log(JSON.stringify({ machine, quick, before: revision.description, compared }, undefined, 2))
  } finally {
    await ending.run()
  }
  return 0
}

function describeMachine(server: string): string {
  return `Node ${process.versions.node}, ${availableParallelism()} cores, ${server}`
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
        compare: { type: 'string' },
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
  const ending = new Ending()
  try {
    const server = await openServer(options.statements ? statementSettings : {}, ending)
    const judged: Judged[] = []
    const machine = describeMachine(server.description)
    if (!options.json)
      console.log(`${machine}${options.quick ? '; quick: not to be quoted' : ''}\n\n${heading()}`)
    for (const figure of chosen) judged.push(...(await measureOne(figure, server.url, options)))
    if (options.json)
      console.log(JSON.stringify({ machine, quick: options.quick, figures: judged }, undefined, 2))
  } finally {
    await ending.run()
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
