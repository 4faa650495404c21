// millrace database address: names the database that the commands here work on, for programs of one's own.
import { Command } from 'commander'
import type { CurrentSession } from '../session.ts'

export function databaseAddressCommand(current: CurrentSession): Command {
  return new Command('address')
    .description('print the address of the database that the commands here work on, its password included')
    .action(async () => {
      const session = current()
      const { url, source, release } = await session.chooseDatabase()
      try {
        session.terminal.answer({ address: url, source })
        session.terminal.print(url)
      } finally {
        await release()
      }
    })
}
