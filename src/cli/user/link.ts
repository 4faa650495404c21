// millrace user link: another link for somebody, by which they set a password.
import { Command } from 'commander'
import { linkPerson } from '../../db/people.ts'
import { linkLifetimes } from '../../server/people/link.ts'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { linkFor, needPerson, printLink } from './people.ts'

export function linkCommand(current: CurrentSession): Command {
  return new Command('link')
    .description('print another link by which somebody sets a password; the one before is void')
    .argument('<who>', 'an address or an id')
    .option('--url <address>', 'under which they reach the server', text('--url'))
    .action(async (who: string, { url }: { readonly url?: string }) => {
      const session = current()
      const { email, link, expiresAt } = await session.withDatabase(async ({ caller }) => {
        const person = await needPerson(caller, who)
        const lifetime = person.has_account ? linkLifetimes.reset : linkLifetimes.invitation
        const made = await linkFor(session, lifetime, url)
        return { ...person, ...made, expiresAt: await linkPerson(caller, person.id, made.write) }
      })
      session.terminal.answer({ email, link, expires_at: expiresAt })
      session.terminal.print(`${email} sets a password by this link; until then the one before is valid.`)
      printLink(session, link, expiresAt)
    })
}
