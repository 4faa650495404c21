// millrace user show: somebody who may sign in.
import { Command } from 'commander'
import { ago } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { needPerson } from './people.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show somebody: what they may do and see, and whether they are signed in')
    .argument('<who>', 'an address or an id')
    .action(async (who: string) => {
      const session = current()
      const person = await session.withDatabase(({ caller }) => needPerson(caller, who))
      const { terminal } = session
      terminal.answer(person)
      const { name, email, role, payloads, revision, session_count, seen_at, disabled_at, disabled_by } =
        person
      terminal.print(`${name} <${email}>, ${role}, sees ${payloads ? '' : 'no '}inputs and outputs.`)
      const now = new Date()
      if (disabled_at !== null) terminal.print(`Disabled ${ago(disabled_at, now)} by ${disabled_by}.`)
      if (person.link_expires_at !== null)
        terminal.print(`Has a link to set a password, until ${person.link_expires_at.toISOString()}.`)
      terminal.print(
        seen_at === null
          ? 'Is not signed in.'
          : `Has ${session_count} ${session_count === 1 ? 'session' : 'sessions'}, last used ${ago(seen_at, now)}.`,
      )
      terminal.print(`Revision ${revision}.`)
    })
}
