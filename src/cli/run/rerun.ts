// millrace run rerun: a new run with the input of another one.
import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { createRunIds } from '../../core/uuid.ts'
import { rerun } from '../../sdk/redrives.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession } from '../session.ts'
import { type CopyChoices, editOf, tellCopy, withCopyOptions } from './copy-options.ts'

export function rerunCommand(current: CurrentSession): Command {
  const command = new Command('rerun')
    .description('make a new run with the input of another one, from the start')
    .argument('<run>', 'the id of the run')
  return withCopyOptions(command).action(async (run: string, choices: CopyChoices) => {
    const session = current()
    const id = runIdOf(run)
    const newRun = createRunIds({ now: Date.now, random: (bytes) => randomBytes(bytes) })()
    const answer = await session.withDatabase(async ({ caller }) =>
      rerun(caller, { run: id, newRun }, await editOf(session, caller, id, choices)),
    )
    tellCopy(session, id, answer, 'runs again as')
  })
}
