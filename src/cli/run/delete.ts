// millrace run delete: takes all of a run out of the database.
import { Command } from 'commander'
import { deleteRun } from '../../db/erasures.ts'
import { printRows } from '../erased-rows.ts'
import { text } from '../option-values.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly dryRun?: boolean
  readonly reason?: string
}

export function deleteCommand(current: CurrentSession): Command {
  return new Command('delete')
    .description('take all of an ended run, and of those that it called, out of the database')
    .argument('<run>', 'the id of the run')
    .option('--dry-run', 'only count what would go')
    .option('--reason <text>', 'why; it is kept with the record that it was done', text('--reason'))
    .action(async (run: string, { dryRun = false, reason }: Choices) => {
      const session = current()
      const id = runIdOf(run)
      const rows = await session.withDatabase(({ caller }) =>
        deleteRun(caller, id, { dry: dryRun, reason: reason ?? null }),
      )
      session.terminal.answer({ run: id, dry_run: dryRun, rows })
      session.terminal.print(dryRun ? `Of run ${id} these rows would go:` : `Run ${id} is deleted:`)
      printRows(session.terminal, rows)
    })
}
