// millrace run fork: a new run that begins at a step of another one.
import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { createRunIds } from '../../core/uuid.ts'
import { fork } from '../../sdk/redrives.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession } from '../session.ts'
import { type CopyChoices, editOf, tellCopy, withCopyOptions } from './copy-options.ts'

export function forkCommand(current: CurrentSession): Command {
  const command = new Command('fork')
    .description('make a new run that begins at a step: what stands before it is copied, not done again')
    .argument('<run>', 'the id of the run')
    .argument('<step>', 'the step at which the new run begins')
    .option('--keep-checkpoints', 'also keep what the step has stored of its durable calls')
  return withCopyOptions(command).action(
    async (run: string, step: string, choices: CopyChoices & { keepCheckpoints?: boolean }) => {
      const session = current()
      const id = runIdOf(run)
      const newRun = createRunIds({ now: Date.now, random: (bytes) => randomBytes(bytes) })()
      const answer = await session.withDatabase(async ({ caller }) =>
        fork(
          caller,
          { run: id, step, newRun },
          {
            ...(await editOf(session, caller, id, choices)),
            keepCheckpoints: choices.keepCheckpoints ?? false,
          },
        ),
      )
      tellCopy(session, id, answer, 'was forked into')
    },
  )
}
