// millrace tenant erase: takes all of a tenant out of the database.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { eraseTenant } from '../../sdk/erasures.ts'
import { printRows } from '../erased-rows.ts'
import { text } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'

interface Choices {
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly reason?: string
}

export function eraseCommand(current: CurrentSession): Command {
  return new Command('erase')
    .description('take all runs of a tenant, with everything of them, out of the database')
    .argument('<tenant>', 'the tenant')
    .option('--dry-run', 'only count what would go')
    .option('--yes', 'do it: what is erased does not come back')
    .option('--reason <text>', 'why; it is kept with the record that it was done', text('--reason'))
    .action(async (tenant: string, choices: Choices) => erase(current(), tenant, choices))
}

async function erase(
  session: Session,
  tenant: string,
  { dryRun = false, yes = false, reason }: Choices,
): Promise<void> {
  if (dryRun === yes) {
    throw new MillraceError('command_invalid', 'What is erased does not come back.', {
      hint: 'Count it with --dry-run, then say --yes.',
    })
  }
  const { erasure, rows } = await session.withDatabase(({ caller }) =>
    eraseTenant(caller, tenant, { dryRun, ...(reason !== undefined && { reason }) }),
  )
  session.terminal.answer({ tenant, erasure, dry_run: dryRun, rows })
  session.terminal.print(
    dryRun ? `Of tenant ${tenant} these rows would go:` : `Tenant ${tenant} is erased, on record ${erasure}:`,
  )
  printRows(session.terminal, rows)
}
