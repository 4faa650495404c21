// millrace key create: makes an API key, which is shown once.
import { Command } from 'commander'
import { scopes } from '../../api/access.ts'
import { type Role, roles } from '../../core/role.ts'
import type { Duration } from '../../core/duration.ts'
import { MillraceError } from '../../core/errors.ts'
import type { KeyAgent } from '../../db/api-keys.ts'
import { text, texts, wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { answerOf, printMade, withKeys } from './keys.ts'

interface Choices {
  readonly role: string
  readonly scope?: readonly string[]
  readonly tenant?: string
  readonly pipeline?: readonly string[]
  readonly payloads?: boolean
  readonly agent?: string
  readonly requestsPerHour?: number
  readonly account?: string
  readonly livesFor?: Duration
}

export function createCommand(current: CurrentSession): Command {
  return new Command('create')
    .description('make an API key and show it, this once')
    .argument('<name>', 'what people call it; it stands in history with what it does')
    .option('--role <role>', 'viewer, operator or admin', text('--role'), 'viewer')
    .option(
      '--scope <scope>',
      'what it may do, such as runs:read; again for more; all of its role otherwise',
      texts('--scope'),
    )
    .option('--tenant <tenant>', 'it sees and touches only this tenant', text('--tenant'))
    .option('--pipeline <pipeline>', 'only this pipeline; again for more', texts('--pipeline'))
    .option('--payloads', 'it sees inputs and outputs')
    .option(
      '--agent <how>',
      'an agent acts by it: asks (a person decides on changes) or acts',
      text('--agent'),
    )
    .option('--requests-per-hour <n>', 'its own limit', wholeNumber('--requests-per-hour', 1, 999_999_999))
    .option('--account <name>', 'it belongs to this service account', text('--account'))
    .option(
      '--lives-for <duration>',
      'how long it is taken, as in 30d; as long as keys may live otherwise',
      text('--lives-for') as (value: string) => Duration,
    )
    .action(async (name: string, choices: Choices) => {
      const { role, scope, pipeline, agent, account, ...rest } = choices
      const made = await withKeys(current, (keys) =>
        keys.create({
          ...rest,
          name,
          role: oneOf('--role', roles, role) as Role,
          scopes: scope?.map((one) => oneOf('--scope', scopes, one)),
          pipelines: pipeline,
          agent: agent === undefined ? undefined : (oneOf('--agent', ['asks', 'acts'], agent) as KeyAgent),
          serviceAccount: account,
        }),
      )
      const session = current()
      session.terminal.answer(answerOf(made))
      printMade(session, made)
    })
}

function oneOf(option: string, allowed: readonly string[], given: string): string {
  if (allowed.includes(given)) return given
  throw new MillraceError('command_invalid', `${option} takes ${allowed.join(', ')}, not '${given}'.`)
}
