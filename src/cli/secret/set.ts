// millrace secret set: writes a secret, or its next version; its value comes from stdin alone.
import { Command } from 'commander'
import type { Duration } from '../../core/duration.ts'
import { MillraceError } from '../../core/errors.ts'
import type { SecretPlace } from '../../sdk/secrets.ts'
import { text } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'
import { readSecretInput } from '../standard-input.ts'
import { withSecrets } from './secrets.ts'

interface Choices {
  readonly fromEnvironment?: string
  readonly fromAws?: string
  readonly maxAge?: Duration
}

export function setCommand(current: CurrentSession): Command {
  return new Command('set')
    .description('write a secret, whose value is read from stdin, or say where it lies')
    .argument('<name>', 'the name by which steps read it')
    .option(
      '--from-environment <variable>',
      'it lies in this variable of each worker',
      text('--from-environment'),
    )
    .option(
      '--from-aws <id>',
      'it lies in AWS Secrets Manager, under this name or ARN; #key picks a text of a JSON object',
      text('--from-aws'),
    )
    .option(
      '--max-age <duration>',
      'how old it may become, as in 90d',
      text('--max-age') as (value: string) => Duration,
    )
    .action(async (name: string, choices: Choices) => set(current(), name, choices))
}

async function set(session: Session, name: string, choices: Choices): Promise<void> {
  const place = await placeOf(session, name, choices)
  const { maxAge } = choices
  const { version } = await withSecrets(session, (secrets) =>
    secrets.set(name, place, maxAge === undefined ? {} : { maxAge }),
  )
  session.terminal.answer({ name, version })
  session.terminal.print(`Secret ${name} has version ${version}.`)
}

async function placeOf(
  session: Session,
  name: string,
  { fromEnvironment, fromAws }: Choices,
): Promise<SecretPlace> {
  if (fromEnvironment !== undefined && fromAws !== undefined) {
    throw new MillraceError('command_invalid', 'A secret lies in one place.', {
      hint: 'Leave out --from-environment or --from-aws.',
    })
  }
  if (fromEnvironment !== undefined) return { environment: fromEnvironment }
  if (fromAws !== undefined) return { aws: fromAws }
  return {
    value: await readSecretInput(
      session,
      `the value of secret '${name}'`,
      `${name} | npx millrace secret set ${name}`,
    ),
  }
}
