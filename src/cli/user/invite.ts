// millrace user invite: lets somebody sign in, and prints the link by which they set a password.
import { randomUUID } from 'node:crypto'
import { Command } from 'commander'
import { email } from '../../api/people.ts'
import { MillraceError } from '../../core/errors.ts'
import { invitePerson } from '../../db/people.ts'
import { linkLifetimes } from '../../server/people/link.ts'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { linkFor, printLink, roleOf } from './people.ts'

interface Choices {
  readonly role: string
  readonly name?: string
  readonly payloads?: boolean
  readonly url?: string
}

export function inviteCommand(current: CurrentSession): Command {
  return new Command('invite')
    .description('let somebody sign in, and print the link by which they set a password')
    .argument('<address>', 'their address of mail, by which they sign in')
    .option('--role <role>', 'viewer, operator or admin', text('--role'), 'viewer')
    .option('--name <name>', 'what people call them', text('--name'))
    .option('--payloads', 'they see inputs and outputs')
    .option('--url <address>', 'under which they reach the server', text('--url'))
    .action(async (address: string, { role, name = address, payloads = false, url }: Choices) => {
      const session = current()
      if (!email.safeParse(address).success)
        throw new MillraceError('command_invalid', `'${address}' is no address of mail.`, {
          hint: 'Give one like ann@example.org.',
        })
      const { link, write } = await linkFor(session, linkLifetimes.invitation, url)
      const person = { personId: randomUUID(), email: address, name, role: roleOf(role), payloads }
      const expiresAt = await session.withDatabase(({ caller }) =>
        invitePerson(caller, { ...person, ...write }),
      )
      session.terminal.answer({ email: address, role, payloads, link, expires_at: expiresAt })
      session.terminal.print(`${address} may sign in as ${role} once they have opened this link.`)
      printLink(session, link, expiresAt)
    })
}
