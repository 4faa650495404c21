// millrace service-account create: makes one, for which keys are made then.
import { Command } from 'commander'
import { type Role, roles } from '../../core/role.ts'
import { MillraceError } from '../../core/errors.ts'
import { createServiceAccount } from '../../db/service-accounts.ts'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly role: string
  readonly description: string
}

export function createCommand(current: CurrentSession): Command {
  return new Command('create')
    .description("make a service account, whose keys are nobody's own")
    .argument('<name>', 'a letter, then letters, digits and hyphens')
    .option(
      '--role <role>',
      'the most that its keys may: viewer, operator or admin',
      text('--role'),
      'viewer',
    )
    .option('--description <text>', 'what it is for', text('--description'), '')
    .action(async (name: string, { role, description }: Choices) => {
      const session = current()
      if (!roles.some((one) => one === role))
        throw new MillraceError('command_invalid', `--role takes ${roles.join(', ')}, not '${role}'.`)
      await session.withDatabase(({ caller }) =>
        createServiceAccount(caller, { name, role: role as Role, description }),
      )
      session.terminal.answer({ name, role, description })
      session.terminal.print(
        `Service account ${name} is made. Its first key: npx millrace key create NAME --account ${name}`,
      )
    })
}
