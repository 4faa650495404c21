// millrace schedule pause: the slots of a schedule pass until it is resumed.
import { Command } from 'commander'
import { Schedules } from '../../sdk/schedules.ts'
import { text } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly reason?: string
  readonly ifRevision?: number
}

export function pauseCommand(current: CurrentSession): Command {
  return new Command('pause')
    .description('pause a schedule: its slots pass, and are recorded as skipped')
    .argument('<name>', 'the name of the schedule')
    .option('--reason <text>', 'why; it is shown with the schedule', text('--reason'))
    .addOption(ifRevisionOption())
    .action(async (name: string, choices: Choices) => {
      const session = current()
      const changed = await session.withDatabase(({ caller }) =>
        new Schedules(() => Promise.resolve(caller)).pause(name, choices),
      )
      session.terminal.answer({ schedule: name, changed })
      session.terminal.print(`Schedule ${name} ${changed ? 'is paused' : 'was paused already'}.`)
    })
}
