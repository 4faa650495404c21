// millrace redrive abort: ends a redrive before it is through.
import { Command } from 'commander'
import { Redrives } from '../../sdk/redrives.ts'
import { columnNames } from '../column-names.ts'
import type { CurrentSession } from '../session.ts'
import { progressWords } from './words.ts'

export function abortCommand(current: CurrentSession): Command {
  return new Command('abort')
    .description('end a redrive: what is done stays done, the rest stays as it is')
    .argument('<redrive>', 'the id of the redrive')
    .action(async (id: string) => {
      const session = current()
      const { aborted, progress } = await session.withDatabase(async ({ caller }) => {
        const redrives = new Redrives(() => Promise.resolve(caller))
        return { aborted: await redrives.abort(id), progress: await redrives.show(id) }
      })
      session.terminal.answer(columnNames({ aborted, ...progress }))
      session.terminal.print(progressWords(progress))
    })
}
