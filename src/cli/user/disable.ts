// millrace user disable, enable, end-sessions: whether somebody may sign in, and whether they are.
import { Command } from 'commander'
import { disablePerson, enablePerson } from '../../db/people.ts'
import { endSessions } from '../../db/person-sessions.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'
import { needPerson } from './people.ts'

interface Choices {
  readonly ifRevision?: number
}

export function disableCommand(current: CurrentSession): Command {
  return switchCommand(current, 'disable', {
    description: 'let somebody sign in no more; their sessions end at once, and their keys with them',
    change: disablePerson,
    done: 'is disabled, and signed out',
    already: 'was disabled already',
  })
}

export function enableCommand(current: CurrentSession): Command {
  return switchCommand(current, 'enable', {
    description: 'let somebody sign in again',
    change: enablePerson,
    done: 'may sign in again',
    already: 'could sign in already',
  })
}

interface Switch {
  readonly description: string
  readonly change: typeof disablePerson
  /** What follows the address where it changed something, and where it did not. */
  readonly done: string
  readonly already: string
}

function switchCommand(
  current: CurrentSession,
  verb: string,
  { description, change, done, already }: Switch,
): Command {
  return new Command(verb)
    .description(description)
    .argument('<who>', 'an address or an id')
    .addOption(ifRevisionOption())
    .action(async (who: string, { ifRevision }: Choices) => {
      const session = current()
      const { email, changed } = await session.withDatabase(async ({ caller }) => {
        const person = await needPerson(caller, who)
        return { email: person.email, changed: await change(caller, person.id, ifRevision) }
      })
      session.terminal.answer({ email, changed })
      session.terminal.print(`${email} ${changed ? done : already}.`)
    })
}

export function endSessionsCommand(current: CurrentSession): Command {
  return new Command('end-sessions')
    .description('sign somebody out everywhere')
    .argument('<who>', 'an address or an id')
    .action(async (who: string) => {
      const session = current()
      const { email, ended } = await session.withDatabase(async ({ caller }) => {
        const person = await needPerson(caller, who)
        return { email: person.email, ended: await endSessions(caller, person.id) }
      })
      session.terminal.answer({ email, ended })
      session.terminal.print(`${ended} ${ended === 1 ? 'session' : 'sessions'} of ${email} ended.`)
    })
}
