// millrace user list: who may sign in, and with which role.
import { Command } from 'commander'
import { listPeople, type PersonRow } from '../../db/people.ts'
import { wholeNumber } from '../option-values.ts'
import { ago } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the people who may sign in: their role, what they see, when they were last here')
    .option('--limit <n>', 'how many, 100 by default', wholeNumber('--limit', 1, 10_000), 100)
    .action(async ({ limit }: { readonly limit: number }) => {
      const session = current()
      const people = await session.withDatabase(({ caller }) => listPeople(caller, { limit }))
      session.terminal.answer(people)
      if (people.length === 0) session.terminal.print('There is nobody.')
      else printTable(session.terminal, columns(new Date()), people)
    })
}

function columns(now: Date): Column<PersonRow>[] {
  return [
    { title: 'address', cell: ({ email }) => email },
    { title: 'role', cell: ({ role }) => role, whole: true },
    { title: 'payloads', cell: ({ payloads }) => (payloads ? 'yes' : 'no'), whole: true },
    { title: 'standing', cell: standingOf },
    { title: 'seen', cell: (person) => seenWords(person, now) },
    { title: 'revision', cell: ({ revision }) => String(revision), side: 'right' },
  ]
}

/** Sessions tell it, and they end: of who was signed out, nothing is known any more. */
function seenWords({ seen_at, has_account }: PersonRow, now: Date): string {
  if (seen_at !== null) return ago(seen_at, now)
  return has_account ? 'signed out' : 'never'
}

function standingOf({ disabled_at, has_account, link_purpose }: PersonRow): string {
  if (disabled_at !== null) return 'disabled'
  if (link_purpose === 'reset') return 'has a link'
  if (has_account) return 'active'
  return link_purpose === null ? 'needs a link' : 'invited'
}
