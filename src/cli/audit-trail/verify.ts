// millrace audit-trail verify: reckons the chain of the trail anew, in the database or from an export alone.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import type { AuditFault } from '../../db/audit-trail.ts'
import { type ChainEnd, type VerifiedTrail, verifyTrail } from '../../sdk/audit-trail.ts'
import { text } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'
import { chainEnd, endWords } from './chain-end.ts'
import { verifyFile } from './export-file.ts'

interface Choices {
  readonly file?: string
  readonly from?: ChainEnd
  readonly known?: ChainEnd
}

export function verifyCommand(current: CurrentSession): Command {
  return new Command('verify')
    .description('check that nothing in the audit trail was changed or removed')
    .option('--known <end>', 'an end that was kept: POSITION:HASH', chainEnd)
    .option('--file <file>', 'check this export instead, without the database', text('--file'))
    .option('--from <end>', 'with --file: where the export before it ended', chainEnd)
    .action(async (choices: Choices) => verify(current(), choices))
}

/** @throws MillraceError audit_trail_broken */
async function verify(session: Session, { file, from, known }: Choices): Promise<void> {
  const { terminal } = session
  if (file !== undefined) {
    const end = await verifyFile(session, file, from)
    terminal.answer({ end })
    terminal.print(`The export adds up. It ends with ${endWords(end)}`)
    return
  }
  const { remote } = session
  const verified: VerifiedTrail =
    remote === undefined
      ? await session.withDatabase(({ caller }) => verifyTrail(caller, known))
      : await remote.verifyAuditTrail({ query: { ...known } })
  if (verified.faults.length > 0) throw brokenTrail(verified)
  terminal.answer(verified)
  terminal.print(`The audit trail adds up. Keep its end: ${endWords(verified.end)}`)
  for (const line of guardLines(verified)) terminal.note(line)
}

function brokenTrail({ faults, end }: VerifiedTrail): MillraceError {
  return new MillraceError(
    'audit_trail_broken',
    `The audit trail does not add up: ${faults.map(faultWords).join('; ')}.`,
    {
      fields: { faults, end },
      hint: 'Compare it with the last export that adds up: npx millrace audit-trail verify --file FILE',
    },
  )
}

function faultWords({ fault, position, entry }: AuditFault): string {
  if (fault === 'unsealed') return `entry ${entry} is in no chain`
  if (fault === 'missing') return `position ${position} is missing`
  if (fault === 'entry_missing')
    return position === undefined
      ? `entry ${entry} went before it was sealed`
      : `the entry of position ${position} is gone`
  return `position ${position} is not what it was`
}

function guardLines({ guards: { owner, owner_logs_in, triggers_off } }: VerifiedTrail): string[] {
  return [
    ...(owner_logs_in
      ? [
          `It belongs to ${owner}, who can log in, and so could be changed by whoever does. Give it away as a superuser: alter table millrace.audit_entry owner to millrace_trail; and so with audit_seal and audit_export.`,
        ]
      : []),
    ...(triggers_off.length > 0
      ? [`These of its row triggers are off or gone: ${triggers_off.join(', ')}. Ask who did that.`]
      : []),
  ]
}
