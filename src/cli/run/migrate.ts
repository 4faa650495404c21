// millrace run migrate: moves live runs of a pipeline to another version, and says of each that stays why.
import { Command } from 'commander'
import { count } from '../../core/wording.ts'
import { type MigratedRuns, moveRuns } from '../../sdk/run-moves.ts'
import { jsonValue } from '../json-value.ts'
import { text, texts, wholeNumber } from '../option-values.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface MigrateOptions {
  readonly from: number
  readonly to?: number
  readonly run?: string[]
  readonly input?: string
  readonly tenant?: string
  readonly limit: number
  readonly dryRun?: boolean
}

/** What it ends with where runs stay. */
const statusOfLeftRuns = 4

export function migrateRunsCommand(current: CurrentSession): Command {
  return new Command('migrate')
    .description('move live runs to another version, where all that they have reached stands alike')
    .argument('<pipeline>', 'the name of the pipeline')
    .requiredOption('--from <version>', 'the version that they have', version('--from'))
    .option('--to <version>', 'the version that they get; the active one by default', version('--to'))
    .option('--run <id>', 'only this run; several times for several', texts('--run'))
    .option('--input <json>', 'only runs whose input contains this', text('--input'))
    .option('--tenant <tenant>', 'only runs of this tenant', text('--tenant'))
    .option('--limit <n>', 'look at so many at most', wholeNumber('--limit', 1, 1_000_000), 1_000)
    .option('--dry-run', 'only say what would move')
    .action(async (slug: string, options: MigrateOptions) => {
      const session = current()
      const { from, to, run, input, tenant, limit, dryRun = false } = options
      const contained = await jsonValue(session, '--input', input)
      const result = await session.withDatabase(({ caller }) =>
        moveRuns(caller, slug, {
          from,
          ...(to !== undefined && { to }),
          filter: {
            ...(run !== undefined && { runs: run.map(runIdOf) }),
            ...(contained !== undefined && { input: contained }),
            ...(tenant !== undefined && { tenant }),
          },
          limit,
          dryRun,
        }),
      )
      session.terminal.answer(result)
      session.terminal.print(movedWords(result, dryRun))
      if (result.left.length === 0) return
      printLeft(session.terminal, result.left)
      session.exitStatus = statusOfLeftRuns
    })
}

/** Nobody reads a hundred thousand lines, and laying them out would take longer than the move. */
const leftMost = 100

function printLeft(terminal: Terminal, left: MigratedRuns['left']): void {
  printTable(terminal, columns, left.slice(0, leftMost))
  if (left.length > leftMost)
    terminal.print(`… and ${count(left.length - leftMost, 'more run', 'more runs')}; --json lists all.`)
}

const version = (option: string) => wholeNumber(option, 1, 999_999_999)

const columns: readonly Column<MigratedRuns['left'][number]>[] = [
  { title: 'run', cell: ({ run }) => run, whole: true },
  { title: 'stays, because', cell: ({ reason }) => reason },
]

function movedWords({ moved, left, more }: MigratedRuns, dryRun: boolean): string {
  const sentences = [
    dryRun
      ? `${count(moved.length, 'run would be moved', 'runs would be moved')}.`
      : `${count(moved.length, 'run was moved', 'runs were moved')}.`,
    ...(left.length > 0 ? [`${count(left.length, 'run stays', 'runs stay')}.`] : []),
    ...(more ? ['There are more: raise --limit, or call it again.'] : []),
  ]
  return sentences.join(' ')
}
