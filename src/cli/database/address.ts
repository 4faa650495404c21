// millrace database address: names the database that the commands here work on, for programs of one's own.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import type { CurrentSession } from '../session.ts'

export function databaseAddressCommand(current: CurrentSession): Command {
  return new Command('address')
    .description('print the address of the database that the commands here work on, its password included')
    .action(async () => {
      const session = current()
      const { url, source, startedHere, release } = await session.chooseOwnDatabase()
      try {
        if (startedHere) throw endsWithUs()
        session.terminal.answer({ address: url, source })
        session.terminal.print(url)
      } finally {
        await release()
      }
    })
}

/** Nothing would listen on its address by the time that somebody has read it. */
function endsWithUs(): MillraceError {
  return new MillraceError(
    'database_unreachable',
    'The embedded PostgreSQL of this project does not run: this command alone started it, and ends it.',
    { hint: 'Start it with: npx millrace dev' },
  )
}
