// millrace dead-letter redrive: gives failed runs that are named fresh attempts, one after the other.
import { Command } from 'commander'
import { count } from '../../core/wording.ts'
import { redriveRun } from '../../sdk/redrives.ts'
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

async function redrive(session: Session, runs: readonly string[], choices: Choices): Promise<void> {
  const { terminal } = session
  const { reason } = choices
  const how = { ...fromOf(choices), ...(reason !== undefined && { reason }) }
  const answers = await session.withDatabase(async ({ caller }) => {
    const told = []
    for (const run of runs) told.push({ of: run, ...(await redriveRun(caller, run, how)) })
    return told
  })
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
