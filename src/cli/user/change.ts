// millrace user change: what somebody is called, may do and may see.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { changePerson } from '../../db/people.ts'
import { text } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'
import { needPerson, roleOf } from './people.ts'

interface Choices {
  readonly role?: string
  readonly name?: string
  readonly payloads?: boolean
  readonly ifRevision?: number
}

export function changeCommand(current: CurrentSession): Command {
  return new Command('change')
    .description(
      'change what somebody is called, may do and may see; it holds at once, in their sessions too',
    )
    .argument('<who>', 'an address or an id')
    .option('--role <role>', 'viewer, operator or admin', text('--role'))
    .option('--name <name>', 'what people call them', text('--name'))
    .option('--payloads', 'they see inputs and outputs')
    .option('--no-payloads', 'they see no inputs and outputs')
    .addOption(ifRevisionOption())
    .action(async (who: string, { ifRevision, ...choices }: Choices) => {
      const session = current()
      const { role, ...rest } = choices
      const change = { ...rest, ...(role === undefined ? {} : { role: roleOf(role) }) }
      if (Object.keys(change).length === 0)
        throw new MillraceError(
          'command_invalid',
          'Nothing is said to change: give --role, --name or --payloads.',
        )
      const { email, revision } = await session.withDatabase(async ({ caller }) => {
        const person = await needPerson(caller, who)
        return { email: person.email, revision: await changePerson(caller, person.id, change, ifRevision) }
      })
      session.terminal.answer({ email, revision })
      session.terminal.print(`${email} is at revision ${revision}.`)
    })
}
