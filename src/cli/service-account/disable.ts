// millrace service-account disable|enable: refuses all keys of a service account, or takes them again.
import { Command } from 'commander'
import { disableServiceAccount } from '../../db/service-accounts.ts'
import type { CurrentSession } from '../session.ts'

export function disableCommand(current: CurrentSession): Command {
  return switchCommand(
    current,
    'disable',
    'refuse all keys of a service account, within a second on every server',
  )
}

export function enableCommand(current: CurrentSession): Command {
  return switchCommand(current, 'enable', 'take its keys again that are neither expired nor revoked')
}

function switchCommand(current: CurrentSession, verb: 'disable' | 'enable', description: string): Command {
  return new Command(verb)
    .description(description)
    .argument('<name>', 'the service account')
    .action(async (name: string) => {
      const session = current()
      const changed = await session.withDatabase(({ caller }) =>
        disableServiceAccount(caller, name, verb === 'disable'),
      )
      session.terminal.answer({ changed })
      session.terminal.print(
        changed ? `Service account ${name} is ${verb}d.` : `Service account ${name} was ${verb}d already.`,
      )
    })
}
