// millrace schedule remove: takes a schedule away; its firings stay.
import { Command } from 'commander'
import { Schedules, unknownSchedule } from '../../sdk/schedules.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function removeCommand(current: CurrentSession): Command {
  return new Command('remove')
    .description('remove a schedule: its firings stay; code that declares it brings it back')
    .argument('<name>', 'the name of the schedule')
    .addOption(ifRevisionOption())
    .action(async (name: string, choices: { readonly ifRevision?: number }) => {
      const session = current()
      const removed = await session.withDatabase(({ caller }) =>
        new Schedules(() => Promise.resolve(caller)).remove(name, choices),
      )
      if (!removed) throw unknownSchedule(name)
      session.terminal.answer({ schedule: name, removed: true })
      session.terminal.print(`Schedule ${name} is removed.`)
    })
}
