// millrace watch remove: takes its triggers away, and then the watch itself with what was not told yet.
import { Command } from 'commander'
import { dropWatchTriggers } from '../../db/watches.ts'
import { inTransaction } from '../../db/transaction.ts'
import { Watches } from '../../sdk/watches.ts'
import type { CurrentSession } from '../session.ts'

export function removeCommand(current: CurrentSession): Command {
  return new Command('remove')
    .description(
      'remove a watch with its row triggers, and the changes that were not told yet; code that declares it brings it back',
    )
    .argument('<name>', 'the name of the watch')
    .action(async (name: string) => {
      const session = current()
      await session.withDatabase(({ caller, client }) =>
        inTransaction(client, async () => {
          await dropWatchTriggers(caller, name)
          await new Watches(() => Promise.resolve(caller)).remove(name)
        }),
      )
      session.terminal.answer({ name, removed: true })
      session.terminal.print(`Watch ${name} is removed.`)
    })
}
