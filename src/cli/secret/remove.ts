// millrace secret remove: takes a secret away with all its versions.
import { Command } from 'commander'
import { unknown } from '../../sdk/secrets.ts'
import type { CurrentSession } from '../session.ts'
import { withSecrets } from './secrets.ts'

export function removeCommand(current: CurrentSession): Command {
  return new Command('remove')
    .description('remove a secret with all its versions; who has read it stays on record')
    .argument('<name>', 'the name of the secret')
    .action(async (name: string) => {
      const session = current()
      if (!(await withSecrets(session, (secrets) => secrets.remove(name)))) throw unknown(name)
      session.terminal.answer({ name, removed: true })
      session.terminal.print(`Secret ${name} is removed.`)
    })
}
