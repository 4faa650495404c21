// millrace secret rotate: gives a secret its next version.
import { Command } from 'commander'
import { unknown } from '../../sdk/secrets.ts'
import type { CurrentSession, Session } from '../session.ts'
import { readSecretInput } from '../standard-input.ts'
import { withSecrets } from './secrets.ts'

export function rotateCommand(current: CurrentSession): Command {
  return new Command('rotate')
    .description(
      'give a secret its next value, read from stdin; of one that lies outside, say that it was changed there',
    )
    .argument('<name>', 'the name of the secret')
    .action(async (name: string) => rotate(current(), name))
}

async function rotate(session: Session, name: string): Promise<void> {
  const { version } = await withSecrets(session, async (secrets) => {
    const found = (await secrets.list()).find((secret) => secret.name === name)
    if (found === undefined) throw unknown(name)
    if (found.source !== 'table') return secrets.rotate(name)
    return secrets.rotate(
      name,
      await readSecretInput(
        session,
        `the next value of secret '${name}'`,
        `${name} | npx millrace secret rotate ${name}`,
      ),
    )
  })
  session.terminal.answer({ name, version })
  session.terminal.print(`Secret ${name} has version ${version}. Workers read it within 10 s.`)
}
