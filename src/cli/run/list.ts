// millrace run list: the newest runs.
import { Command, Option } from 'commander'
import { isFinal, type RunState, runStates } from '../../core/state.ts'
import { fill } from '../../core/text-fill.ts'
import { count } from '../../core/wording.ts'
import { listRuns, type RunRow } from '../../db/run-list.ts'
import { type NeedRow, needsVersion } from '../../db/whys.ts'
import { text, wholeNumber } from '../option-values.ts'
import { age, needWords, paintState, stateWords, tookWords } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface ListOptions {
  readonly pipeline?: string
  readonly state?: RunState[]
  /** A run key may be empty. */
  readonly key?: string
  readonly tenant?: string
  readonly fingerprint?: string
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list runs, the newest first')
    .option('--pipeline <name>', 'only runs of this pipeline', text('--pipeline'))
    .addOption(new Option('--state <state...>', 'only runs in these states').choices([...runStates]))
    .option('--key <key>', 'only runs with this run key')
    .option('--tenant <tenant>', 'only runs of this tenant', text('--tenant'))
    .option('--fingerprint <kind>', 'only failures of this kind: see failure list', text('--fingerprint'))
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async (options: ListOptions) => {
      const session = current()
      const { state, ...filter } = options
      const rows = await session.withDatabase(async ({ caller }) => {
        const runs = await listRuns(caller, { ...filter, states: state })
        const live = runs.filter((run) => !isFinal(run.state)).map((run) => run.id)
        return withNeeds(runs, live.length === 0 ? [] : await needsVersion(caller, live))
      })
      session.terminal.answer(rows)
      if (rows.length === 0) session.terminal.print(noneWords(options))
      else printTable(session.terminal, runColumns(session.terminal, rows), rows)
      for (const line of needLines(rows)) session.terminal.print(line)
    })
}

interface ListedRun extends RunRow {
  /** The version and queue that no live worker serves, where it stands still for that. */
  readonly needs: Pick<NeedRow, 'version' | 'queue' | 'step'> | null
}

function withNeeds(runs: readonly RunRow[], needs: readonly NeedRow[]): ListedRun[] {
  const byRun = new Map(
    needs.map(({ run_id, version, queue, step }) => [run_id, { version, queue, step }] as const),
  )
  return runs.map((run) => ({ ...run, needs: byRun.get(run.id) ?? null }))
}

/** Below the table, each need once. */
function needLines(rows: readonly ListedRun[]): string[] {
  const needed = rows.flatMap(({ pipeline, needs }) =>
    needs === null ? [] : [needWords({ pipeline, ...needs })],
  )
  return [...new Set(needed)].flatMap((words, index) => [
    ...(index === 0 ? [''] : []),
    ...fill(
      `${words}: ${count(needed.filter((one) => one === words).length, 'run', 'runs')}; no live worker serves it`,
    ),
  ])
}

function noneWords({ pipeline, state, key, tenant, fingerprint }: ListOptions): string {
  const isFiltered = [pipeline, state, key, tenant, fingerprint].some((value) => value !== undefined)
  return isFiltered
    ? 'There is no such run.'
    : 'There is no run yet. Start one with: npx millrace run start NAME'
}

function runColumns(terminal: Terminal, rows: readonly ListedRun[]): Column<ListedRun>[] {
  const now = new Date()
  const hasKeys = rows.some(({ key }) => key !== null)
  return [
    { title: 'run', cell: ({ id }) => id, whole: true },
    { title: 'pipeline', cell: ({ pipeline }) => pipeline },
    ...(hasKeys ? [{ title: 'key', cell: ({ key }: ListedRun) => key ?? '' }] : []),
    { title: 'state', cell: stateWords, whole: true, paint: (cell) => paintState(terminal, cell) },
    { title: 'age', cell: ({ created_at }) => age(created_at, now), whole: true, side: 'right' },
    { title: 'took', cell: tookWords, whole: true, side: 'right' },
  ]
}
