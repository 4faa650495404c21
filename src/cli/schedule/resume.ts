// millrace schedule resume: a paused schedule fires again.
import { Command } from 'commander'
import { Schedules } from '../../sdk/schedules.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function resumeCommand(current: CurrentSession): Command {
  return new Command('resume')
    .description('resume a paused schedule; its failures in a row are counted anew')
    .argument('<name>', 'the name of the schedule')
    .addOption(ifRevisionOption())
    .action(async (name: string, choices: { readonly ifRevision?: number }) => {
      const session = current()
      const changed = await session.withDatabase(({ caller }) =>
        new Schedules(() => Promise.resolve(caller)).resume(name, choices),
      )
      session.terminal.answer({ schedule: name, changed })
      session.terminal.print(`Schedule ${name} ${changed ? 'fires again' : 'was not paused'}.`)
    })
}
