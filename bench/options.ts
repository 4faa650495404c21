// What `npm run bench` is told: its options, or a sentence on why they make no sense.
import { parseArgs } from 'node:util'

export const usage = `npm run bench -- [options]
  --only NAME        only this figure; may be given several times
  --quick            three rounds and a quarter of the work: shows that it runs, measures little
  --json             the table as JSON
  --cpu-prof FOLDER  CPU profiles of this process, while it does our part
  --statements       what the server spent its time on (with pg_stat_statements)
  --compare REV      this checkout beside another revision, by turns, without the floors' goals
  --list             the names of the figures
BENCH_DATABASE_URL names a server whose login may create databases, instead of an embedded one.`

export type Options = ReturnType<typeof parse>

/** The options, or what is to be said of them. */
export function readOptions(args: readonly string[], figures: readonly string[]): Options | string {
  try {
    const options = parse(args)
    if (options.help || options.list) return options
    return refusalOf(options, figures) ?? options
  } catch (error) {
    return `${(error as Error).message}\n\n${usage}`
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
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
}

function refusalOf(options: Options, figures: readonly string[]): string | undefined {
  const unknown = options.only?.find((name) => !figures.includes(name))
  if (unknown !== undefined) return `There is no figure '${unknown}'; there is ${figures.join(', ')}.`
  const empty = (['compare', 'cpu-prof'] as const).find((name) => options[name]?.trim() === '')
  if (empty !== undefined)
    return `--${empty} needs a value: a ${empty === 'compare' ? 'revision' : 'folder'}.`
  if (options.compare === undefined) return undefined
  const other = (['cpu-prof', 'statements'] as const).find(
    (name) => name in options && options[name] !== false,
  )
  return other === undefined
    ? undefined
    : `--${other} looks at one revision, --compare measures two: leave out one of them.`
}
