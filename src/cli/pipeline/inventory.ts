// millrace pipeline inventory: what starts each pipeline and how its newest runs ended, so that what is never called, or always fails, is seen.
import { Command } from 'commander'
import { type InventoryRow, pipelineInventory } from '../../db/inventory.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { lastRunColumns } from './last-run.ts'

export function inventoryCommand(current: CurrentSession): Command {
  return new Command('inventory')
    .description('tell of each pipeline what starts it, and how its newest 20 runs ended')
    .action(async () => {
      const session = current()
      const rows = await session.withDatabase(({ caller }) => pipelineInventory(caller))
      session.terminal.answer(rows)
      if (rows.length > 0) printTable(session.terminal, columns(session.terminal), rows)
      else session.terminal.print('No pipeline is registered yet: a worker registers what it serves.')
    })
}

function columns(terminal: Terminal): Column<InventoryRow>[] {
  return [
    { title: 'pipeline', cell: ({ slug }) => slug },
    { title: 'verdict', cell: ({ verdict }) => verdict, whole: true },
    ...lastRunColumns(terminal),
    { title: 'started by', cell: startWords },
  ]
}

function startWords({ triggers, last_run_via, paused_at }: InventoryRow): string {
  if (paused_at !== null) return 'nothing: it is paused'
  const words = triggers.map(({ kind, name, paused }) => `${kind} ${name}${paused ? ' (paused)' : ''}`)
  return words.length > 0 ? words.join(', ') : (last_run_via ?? 'nothing so far')
}
