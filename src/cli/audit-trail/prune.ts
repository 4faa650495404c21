// millrace audit-trail prune: removes what an export holds, once it is old.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { count } from '../../core/wording.ts'
import { type ChainEnd, pruneTrail } from '../../sdk/audit-trail.ts'
import type { CurrentSession, Session } from '../session.ts'
import { chainEnd } from './chain-end.ts'
import { verifyFile } from './export-file.ts'

interface Choices {
  readonly from?: ChainEnd
  readonly yes?: boolean
}

export function pruneCommand(current: CurrentSession): Command {
  return new Command('prune')
    .description('remove from the audit trail what an export holds and is older than 90 days')
    .argument('<file>', 'the export: it is checked first')
    .option('--from <end>', 'where the export before it ended: POSITION:HASH', chainEnd)
    .option('--yes', 'do it: what is removed stands in the file alone')
    .action(async (file: string, choices: Choices) => prune(current(), file, choices))
}

/** @throws MillraceError audit_trail_broken, audit_export_unknown */
async function prune(session: Session, file: string, { from, yes }: Choices): Promise<void> {
  const end = await verifyFile(session, file, from)
  if (yes !== true)
    throw new MillraceError('command_invalid', 'What is removed stands in the file alone from then on.', {
      hint: 'Keep the file where nobody changes it, then say --yes.',
    })
  const pruned = await session.withDatabase(({ caller }) => pruneTrail(caller, end))
  session.terminal.answer(pruned)
  session.terminal.print(
    pruned.removed === 0
      ? 'Nothing in this export is older than 90 days and still in the trail.'
      : `Removed ${count(pruned.removed, 'entry', 'entries')}, up to position ${pruned.through}.`,
  )
}
