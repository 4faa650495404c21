// millrace schedule next: the times that are ahead, with the offsets of their zone.
import { Command } from 'commander'
import { Schedules } from '../../sdk/schedules.ts'
import { wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'

export function nextCommand(current: CurrentSession): Command {
  return new Command('next')
    .description('show when a schedule is due next, with the offsets of its zone')
    .argument('<name>', 'the name of the schedule')
    .option('--count <n>', 'so many times, up to 1,000', wholeNumber('--count', 1, 1_000), 5)
    .action(async (name: string, { count }: { readonly count: number }) => {
      const session = current()
      const slots = await session.withDatabase(({ caller }) =>
        new Schedules(() => Promise.resolve(caller)).next(name, { count }),
      )
      session.terminal.answer(slots)
      for (const { slot, local } of slots) session.terminal.print(`${local}  ${slot.toISOString()}`)
      if (slots.length === 0) session.terminal.print('No time of it is ahead.')
    })
}
