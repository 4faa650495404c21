// millrace schedule firings: the times of a schedule that have come, and what became of each.
import { Command, Option } from 'commander'
import { firingWords, slotWords } from '../../core/schedule-words.ts'
import { type FiringState, firingStates } from '../../core/state.ts'
import { durationWords } from '../../core/wording.ts'
import { type Firing, Schedules } from '../../sdk/schedules.ts'
import { wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface Choices {
  readonly state?: readonly FiringState[]
  readonly before?: number
  readonly most: number
}

export function firingsCommand(current: CurrentSession): Command {
  return new Command('firings')
    .description('list the firings of a schedule, the latest first: when, how late, and how each ended')
    .argument('<name>', 'the name of the schedule')
    .addOption(new Option('--state <state...>', 'only those in these states').choices(firingStates))
    .option('--before <id>', 'the ones before this firing', wholeNumber('--before', 1, 999_999_999))
    .option('--most <n>', 'so many, up to 1,000', wholeNumber('--most', 1, 1_000), 20)
    .action(async (name: string, { state, before, most }: Choices) => {
      const session = current()
      const { schedule, firings } = await session.withDatabase(async ({ caller }) => {
        const schedules = new Schedules(() => Promise.resolve(caller))
        const firings = await schedules.firings(name, {
          most,
          ...(state === undefined ? {} : { states: state }),
          ...(before === undefined ? {} : { before }),
        })
        return { firings, schedule: await schedules.find(name) }
      })
      session.terminal.answer(firings)
      if (firings.length === 0) session.terminal.print('It has not fired.')
      else printFirings(session.terminal, firings, schedule?.timezone ?? null)
    })
}

export function printFirings(terminal: Terminal, firings: readonly Firing[], timezone: string | null): void {
  printTable(terminal, columns(timezone), firings)
}

function columns(timezone: string | null): readonly Column<Firing>[] {
  return [
    { title: 'firing', cell: ({ id }) => String(id), side: 'right', whole: true },
    { title: 'slot', cell: ({ slot }) => slotWords(slot, timezone), whole: true },
    { title: 'late', cell: lateWords, side: 'right' },
    { title: 'run', cell: ({ runId }) => runId ?? '', whole: true, below: true },
    { title: 'what became of it', cell: endWords },
  ]
}

/** Where there is no run to look at, what it was that came to nothing. */
function endWords(firing: Firing): string {
  const { kind, runId } = firing
  const what = runId !== null || kind === 'scheduled' ? '' : `${kind.replace('_', ' ')}, `
  return `${what}${firingWords(firing)}`
}

function lateWords({ lateMs, state, kind }: Firing): string {
  return state === 'missed' || state === 'skipped' || kind === 'backfill' ? '' : durationWords(lateMs)
}
