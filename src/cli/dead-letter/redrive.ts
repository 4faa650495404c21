// millrace dead-letter redrive: gives failed runs that are named fresh attempts, one after the other.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { count } from '../../core/wording.ts'
import { type RedriveAnswer, redriveRun } from '../../sdk/redrives.ts'
import { text } from '../option-values.ts'
import { type FromChoices, fromOf, withFromOptions } from '../redrive/from-options.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession, Session } from '../session.ts'

interface Choices extends FromChoices {
  readonly reason?: string
}

const statusOfRefusal = 4

export function redriveCommand(current: CurrentSession): Command {
  const command = new Command('redrive')
    .description('give dead letters fresh attempts; redrive start takes all of a kind')
    .argument('<run...>', 'the ids of the runs')
    .option('--latest', 'with the active version of their pipeline')
    .option('--reason <text>', 'why; it stands in the account of each', text('--reason'))
  return withFromOptions(command).action(async (runs: string[], choices: Choices) => {
    await redrive(current(), runs.map(runIdOf), choices)
  })
}

type Answer = RedriveAnswer & { readonly of: string }

async function redrive(session: Session, runs: readonly string[], choices: Choices): Promise<void> {
  const { reason } = choices
  const how = { ...fromOf(choices), ...(reason !== undefined && { reason }) }
  const answers: Answer[] = []
  try {
    await session.withDatabase(async ({ caller }) => {
      for (const run of runs)
        answers.push({ of: run, ...(await redriveRun(caller, run, how).catch(unknownRun)) })
    })
  } finally {
    // What is done is done, whatever stands in the way of the rest.
    if (answers.length > 0) tell(session, answers)
  }
}

/** One that is not there is refused for itself, and the others are gone on with. */
function unknownRun(error: unknown): RedriveAnswer {
  if (!(error instanceof MillraceError) || error.code !== 'run_unknown') throw error
  return { redriven: false, reason: error.code, detail: error.message }
}

function tell(session: Session, answers: readonly Answer[]): void {
  const { terminal } = session
  terminal.answer(answers)
  for (const answer of answers) {
    if (!answer.redriven)
      terminal.print(`Run ${answer.of} was not redriven (${answer.reason}): ${answer.detail}`)
    else if (answer.run.id === answer.of) terminal.print(`Run ${answer.of} goes on where it had failed.`)
    else terminal.print(`Run ${answer.run.id} takes the place of run ${answer.of}.`)
  }
  const done = answers.filter(({ redriven }) => redriven).length
  terminal.print(`${count(done, 'run', 'runs')} redriven, ${answers.length - done} refused.`)
  if (done < answers.length) session.exitStatus = statusOfRefusal
}
