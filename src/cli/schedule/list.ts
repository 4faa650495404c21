// millrace schedule list: when pipelines start by themselves, and what became of it the last time.
import { Command } from 'commander'
import { cadenceWords, firingWords, slotWords } from '../../core/schedule-words.ts'
import { type ScheduleInfo, Schedules } from '../../sdk/schedules.ts'
import { text, wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface Choices {
  readonly pipeline?: string
  readonly tenant?: string
  readonly after?: string
  readonly most: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the schedules: when each is due next, and what became of its last firing')
    .option('--pipeline <pipeline>', 'only those of a pipeline', text('--pipeline'))
    .option('--tenant <tenant>', 'only those of a tenant', text('--tenant'))
    .option('--after <name>', 'the ones behind this, by name: the last of the page before', text('--after'))
    .option('--most <n>', 'so many, up to 1,000', wholeNumber('--most', 1, 1_000), 100)
    .action(async (choices: Choices) => {
      const session = current()
      const schedules = await session.withDatabase(({ caller }) =>
        new Schedules(() => Promise.resolve(caller)).list(choices),
      )
      session.terminal.answer(schedules)
      if (schedules.length === 0) session.terminal.print('There is no schedule.')
      else printTable(session.terminal, columns, schedules)
    })
}

const columns: readonly Column<ScheduleInfo>[] = [
  { title: 'schedule', cell: ({ name }) => name },
  { title: 'pipeline', cell: ({ pipeline }) => pipeline },
  { title: 'when', cell: cadenceWords },
  { title: 'next', cell: nextWords, whole: true },
  { title: 'last', cell: ({ lastFiring }) => (lastFiring === null ? '' : firingWords(lastFiring)) },
]

function nextWords({ paused, fault, nextSlot, timezone }: ScheduleInfo): string {
  if (paused !== null) return 'paused'
  if (fault !== null) return 'faulty'
  return nextSlot === null ? 'never again' : slotWords(nextSlot, timezone)
}
