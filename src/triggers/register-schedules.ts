// Registers the schedules that code declares: those of its pipelines are a set, so that what is gone from the code is removed.
import { MillraceError } from '../core/errors.ts'
import { defineCodeSchedules } from '../db/schedules.ts'
import { type Schedule, scheduleDefinition } from '../sdk/schedule.ts'
import type { Trigger } from '../sdk/trigger.ts'
import type { RegistrationRoom } from './registration-room.ts'

/** @throws MillraceError input_invalid, schedule_invalid, pipeline_unknown */
export async function registerSchedules(
  triggers: readonly Trigger[],
  { caller, slugs, log }: RegistrationRoom,
): Promise<void> {
  const definitions = await Promise.all(triggers.filter(isSchedule).map(scheduleDefinition))
  checkNames(definitions)
  for (const { name, change, revision } of await defineCodeSchedules(caller, definitions, slugs)) {
    if (change === 'operator')
      log({
        level: 'info',
        message: `Schedule '${name}' is as an operator defined it, revision ${revision}: what the code says of it does not count.`,
      })
    else if (change === 'removed')
      log({ level: 'info', message: `Schedule '${name}' is removed: the code does not declare it any more.` })
  }
}

function checkNames(definitions: ReadonlyArray<{ readonly name: string }>): void {
  const known = new Set<string>()
  for (const { name } of definitions) {
    if (known.has(name))
      throw new MillraceError('schedule_invalid', `There are two schedules '${name}'.`, {
        fields: { schedule: name },
        hint: 'Give each a name of its own.',
      })
    known.add(name)
  }
}

function isSchedule(trigger: Trigger): trigger is Schedule {
  return trigger.kind === 'schedule'
}
