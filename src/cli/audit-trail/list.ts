// millrace audit-trail list: what was changed, by whom.
import { Command } from 'commander'
import { type AuditRow, listAuditEntries } from '../../db/audit-trail.ts'
import { pastTime, text, wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface Choices {
  readonly actor?: string
  readonly action?: string
  readonly kind?: string
  readonly subject?: string
  readonly since?: Date
  readonly until?: Date
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list what was changed and by whom, the newest first')
    .option('--actor <name>', 'only in this name, or by this login', text('--actor'))
    .option('--action <action>', 'only this, such as run.cancelled', text('--action'))
    .option('--kind <kind>', 'only of what is a run, a schedule, a key …', text('--kind'))
    .option('--subject <name>', 'only of this one, by its name or id', text('--subject'))
    .option('--since <time>', 'not before this time, or this long ago: 2h', pastTime)
    .option('--until <time>', 'before this time', pastTime)
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async ({ kind, ...choices }: Choices) => {
      const session = current()
      const rows = await session.withDatabase(({ caller }) =>
        listAuditEntries(caller, { ...choices, subjectKind: kind }),
      )
      session.terminal.answer(rows)
      if (rows.length === 0) session.terminal.print('There is no such entry.')
      else printTable(session.terminal, columns, rows)
    })
}

const columns: Column<AuditRow>[] = [
  { title: 'at', cell: ({ at }) => at.toISOString().slice(0, 19).replace('T', ' '), whole: true },
  { title: 'who', cell: ({ actor, login }) => actor ?? login },
  { title: 'from', cell: ({ address }) => address ?? '' },
  { title: 'did', cell: ({ action }) => action, whole: true },
  { title: 'to', cell: ({ subject }) => subject },
]
