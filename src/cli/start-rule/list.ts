// millrace start-rule list: the rules on starts, of all pipelines or of one.
import { Command } from 'commander'
import { listStartRules, type StartRuleRow } from '../../db/start-rules.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the rules on starts')
    .argument('[pipeline]', 'only those of this pipeline')
    .action(async (pipeline: string | undefined) => {
      const session = current()
      const rows = await session.withDatabase(({ caller }) => listStartRules(caller, pipeline ?? null))
      session.terminal.answer(rows)
      if (rows.length === 0) session.terminal.print('There is no rule on starts.')
      else printTable(session.terminal, columns, rows)
    })
}

const columns: Column<StartRuleRow>[] = [
  { title: 'pipeline', cell: ({ pipeline }) => pipeline, whole: true },
  { title: 'rule', cell: ({ name }) => name, whole: true },
  { title: 'settings', cell: ({ settings }) => JSON.stringify(settings) },
  { title: 'of', cell: ({ source }) => source, whole: true },
  { title: 'revision', cell: ({ revision }) => String(revision), side: 'right', whole: true },
]
