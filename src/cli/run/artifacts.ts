// millrace run artifacts: what a run has written that is larger than a value.
import { Command } from 'commander'
import { grouped } from '../../core/wording.ts'
import { type ArtifactRow, listArtifacts } from '../../db/artifacts.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

export function artifactsCommand(current: CurrentSession): Command {
  return new Command('artifacts')
    .description('list the artifacts of a run')
    .argument('<run>', 'the id of the run')
    .action(async (run: string) => {
      const session = current()
      const id = runIdOf(run)
      const rows = await session.withDatabase(({ caller }) => listArtifacts(caller, id))
      session.terminal.answer(rows)
      if (rows.length === 0) session.terminal.print('The run has no artifact.')
      else printTable(session.terminal, columns, rows)
    })
}

const columns: Column<ArtifactRow>[] = [
  { title: 'artifact', cell: ({ name }) => name },
  { title: 'type', cell: ({ type }) => type },
  { title: 'bytes', cell: ({ size }) => grouped(size), side: 'right', whole: true },
  { title: 'step', cell: ({ step, item }) => (item === null ? step : `${step} item ${item}`) },
  { title: 'sha256', cell: ({ sha256 }) => sha256.slice(0, 12), whole: true },
]
