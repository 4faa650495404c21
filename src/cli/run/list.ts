// millrace run list: the newest runs.
import { Command, Option } from 'commander'
import { type RunState, runStates } from '../../core/state.ts'
import { listRuns, type RunRow } from '../../db/run-list.ts'
import { wholeNumber } from '../option-values.ts'
import { ago, paintState, stateWords, tookWords } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface ListOptions {
  readonly pipeline?: string
  readonly state?: RunState[]
  readonly key?: string
  readonly tenant?: string
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list runs, the newest first')
    .option('--pipeline <name>', 'only runs of this pipeline')
    .addOption(new Option('--state <state...>', 'only runs in these states').choices([...runStates]))
    .option('--key <key>', 'only runs with this run key')
    .option('--tenant <tenant>', 'only runs of this tenant')
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async ({ state, ...filter }: ListOptions) => {
      const session = current()
      const rows = await session.withDatabase(({ caller }) => listRuns(caller, { ...filter, states: state }))
      session.terminal.answer(rows)
      if (rows.length === 0) session.terminal.print('There is no such run.')
      else printTable(session.terminal, runColumns(session.terminal, rows), rows)
    })
}

function runColumns(terminal: Terminal, rows: readonly RunRow[]): Column<RunRow>[] {
  const now = new Date()
  const hasKeys = rows.some(({ key }) => key !== null)
  return [
    { title: 'run', cell: ({ id }) => id, whole: true },
    { title: 'pipeline', cell: ({ pipeline }) => pipeline },
    ...(hasKeys ? [{ title: 'key', cell: ({ key }: RunRow) => key ?? '' }] : []),
    { title: 'state', cell: stateWords, paint: (cell) => paintState(terminal, cell) },
    { title: 'begun', cell: ({ created_at }) => ago(created_at, now), side: 'right' },
    { title: 'took', cell: tookWords, side: 'right' },
  ]
}
