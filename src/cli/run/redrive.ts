// millrace run redrive: gives one failed run fresh attempts.
import { Command } from 'commander'
import { redriveRun } from '../../sdk/redrives.ts'
import { text } from '../option-values.ts'
import { type FromChoices, fromOf, withFromOptions } from '../redrive/from-options.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession } from '../session.ts'
import { type CopyChoices, editOf, withCopyOptions } from './copy-options.ts'

interface Choices extends CopyChoices, FromChoices {
  readonly idempotencyKey?: string
}

const statusOfRefusal = 4

export function redriveCommand(current: CurrentSession): Command {
  const command = new Command('redrive')
    .description('give a failed run fresh attempts where it failed, or put a new run in its place')
    .argument('<run>', 'the id of the run')
    .option(
      '--idempotency-key <key>',
      'asked again with the same key, it is redriven once',
      text('--idempotency-key'),
    )
  return withCopyOptions(withFromOptions(command)).action(async (run: string, choices: Choices) => {
    const session = current()
    const id = runIdOf(run)
    const answer = await session.withDatabase(async ({ caller }) =>
      redriveRun(caller, id, {
        ...(await editOf(session, caller, id, choices)),
        ...fromOf(choices),
        ...(choices.idempotencyKey !== undefined && { idempotencyKey: choices.idempotencyKey }),
      }),
    )
    if (!answer.redriven) {
      session.terminal.answer({ run: id, ...answer })
      session.terminal.print(`Run ${id} was not redriven (${answer.reason}): ${answer.detail}`)
      session.exitStatus = statusOfRefusal
      return
    }
    session.terminal.answer({ of: id, redriven: true, run: answer.run.id })
    session.terminal.print(
      answer.run.id === id
        ? `Run ${id} goes on where it had failed.`
        : `Run ${answer.run.id} takes the place of run ${id}.`,
    )
    session.terminal.print(`See it with: npx millrace run account ${answer.run.id}`)
  })
}
