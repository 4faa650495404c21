// Registers the watches of a configuration as a set, and says of each whose table does not record its changes.
import { defineCodeWatches } from '../db/watches.ts'
import type { Trigger } from '../sdk/trigger.ts'
import type { Watch } from '../sdk/watch.ts'
import type { RegistrationRoom } from './registration-room.ts'

/** Also where none is declared: there may have been one. A worker installs nothing. @throws MillraceError watch_invalid */
export async function registerWatches(
  triggers: readonly Trigger[],
  { caller, slugs, log }: RegistrationRoom,
): Promise<void> {
  const declared = triggers.filter(isWatch).map(({ name, settings }) => ({ name, settings }))
  for (const { name, change, problems } of await defineCodeWatches(caller, declared, slugs)) {
    if (change === 'operator')
      log({
        level: 'info',
        message: `Watch '${name}' is as an operator defined it: what the code says of it does not count.`,
      })
    if (change === 'retired')
      log({
        level: 'info',
        message: `Watch '${name}' is gone from the code, and starts nothing any more. What its triggers record is kept for a week; they go with: npx millrace watch apply`,
      })
    else if (problems.length > 0)
      log({
        level: 'warn',
        message: `Watch '${name}' misses changes, or refuses them: ${problems.join('; ')}. See npx millrace watch plan`,
      })
  }
}

function isWatch(trigger: Trigger): trigger is Watch {
  return trigger.kind === 'watch'
}
