// millrace database enable: lets a copy of a database run what came with it.
import { Command } from 'commander'
import { count } from '../../core/wording.ts'
import { enableDatabase } from '../../db/copied-database.ts'
import type { CurrentSession } from '../session.ts'

export function enableDatabaseCommand(current: CurrentSession): Command {
  return new Command('enable')
    .description('let a copy of a database run what came with it: its runs, schedules and callbacks')
    .action(async () => {
      const session = current()
      const { terminal } = session
      const result = await session.withDatabase(({ caller }) => enableDatabase(caller))
      terminal.answer(result)
      if (!result.enabled) {
        terminal.print('This database is no copy, or was enabled before: nothing was changed.')
        return
      }
      terminal.print('The database is enabled: workers may register, and run what is in it.')
      terminal.print(
        `${count(result.tasks, 'task', 'tasks')} of ${count(result.workers, 'worker', 'workers')} of the other database went back to the queue.`,
      )
    })
}
