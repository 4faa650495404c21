// millrace schedule trigger: fires a schedule now, beside its slots.
import { Command } from 'commander'
import { Schedules, type TriggerAnswer } from '../../sdk/schedules.ts'
import { jsonValue } from '../json-value.ts'
import type { CurrentSession } from '../session.ts'
import { overlapOption, type OverlapChoice } from './overlap.ts'
import { firingInput } from './schedule-input.ts'

export function triggerCommand(current: CurrentSession): Command {
  return new Command('trigger')
    .description('fire a schedule now, also while it is paused')
    .argument('<name>', 'the name of the schedule')
    .argument('[input]', "an input as JSON in place of the schedule's own; - reads it from stdin")
    .addOption(overlapOption('its own unless told: what becomes of it while a run of the schedule is live'))
    .action(async (name: string, input: string | undefined, { overlap }: OverlapChoice) => {
      const session = current()
      const given = await jsonValue(session, 'The input', input)
      const answer = await session.withDatabase(async ({ caller }) => {
        const checked = await firingInput(session, caller, name, given)
        return new Schedules(() => Promise.resolve(caller)).trigger(name, {
          ...(checked === undefined ? {} : { input: checked }),
          ...(overlap === undefined ? {} : { overlap }),
        })
      })
      session.terminal.answer(answer)
      session.terminal.print(answerWords(name, answer))
      if (answer.run === null && answer.state !== 'queued') session.exitStatus = statusOfRefusal
    })
}

const statusOfRefusal = 4

function answerWords(name: string, { run, state, reason, refusal, blockedBy, error }: TriggerAnswer): string {
  if (run !== null) return `Started run ${run.id} by schedule ${name}.`
  if (state === 'queued')
    return `Queued: it begins once the live run of schedule ${name}, or a transaction that its start waits for, has ended.`
  if (error !== null) return `Not started: ${error.message}`
  const other = blockedBy === null ? '' : `: run ${blockedBy} is live`
  return `Not started, since of ${refusal ?? reason ?? state}${other}.`
}
