// millrace run why: what a run, a step of it or an item of a map waits for, in one sentence.
import { Command } from 'commander'
import { why } from '../../db/whys.ts'
import { wholeNumber } from '../option-values.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession } from '../session.ts'

export function whyCommand(current: CurrentSession): Command {
  return new Command('why')
    .description('say in one sentence what a run, or a step of it, waits for')
    .argument('<run>', 'the id of the run')
    .argument('[step]', 'the name of a step; without one, what comes first is told')
    .option('--item <n>', 'of a map: the place of one item', wholeNumber('--item', 0, 100_000))
    .action(async (run: string, step: string | undefined, { item }: { item?: number }) => {
      const session = current()
      const told = await session.withDatabase(({ caller }) => why(caller, runIdOf(run), step, item))
      session.terminal.answer(told)
      session.terminal.print(told.sentence)
    })
}
