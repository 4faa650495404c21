// millrace callback resend: sends one once more, whatever became of it.
import { Command } from 'commander'
import { Callbacks } from '../../sdk/callbacks.ts'
import type { CurrentSession } from '../session.ts'

export function resendCommand(current: CurrentSession): Command {
  return new Command('resend')
    .description('send a callback once more, with fresh attempts and under the same id')
    .argument('<callback>', 'its id')
    .action(async (id: string) => {
      const session = current()
      await session.withDatabase(({ caller }) => new Callbacks(() => Promise.resolve(caller)).resend(id))
      session.terminal.answer({ id, resent: true })
      session.terminal.print(`Callback ${id} is sent once more.`)
    })
}
