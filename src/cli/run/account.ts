// millrace run account: the whole story of one run.
import { Command } from 'commander'
import { tellAccount } from '../../core/account.ts'
import { runAccount } from '../../db/accounts.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession } from '../session.ts'

export function accountCommand(current: CurrentSession): Command {
  return new Command('account')
    .description('tell the whole story of a run: attempts, delays and their reasons, rows written, people')
    .argument('<run>', 'the id of the run')
    .action(async (run: string) => {
      const session = current()
      const account = await session.withDatabase(({ caller }) => runAccount(caller, runIdOf(run)))
      session.terminal.answer(account)
      session.terminal.printLines(tellAccount(account).trimEnd())
    })
}
