// millrace event list: what was emitted, and what each event started.
import { Command } from 'commander'
import { type EmittedEvent, emittedEvents } from '../../sdk/subscriptions.ts'
import { text, wholeNumber } from '../option-values.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface Choices {
  readonly name?: string
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list emitted events, the newest first, with what each started')
    .option('--name <name>', 'only events of this name', text('--name'))
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async (choices: Choices) => {
      const session = current()
      const events = await session.withDatabase(({ caller }) => emittedEvents(caller, choices))
      session.terminal.answer(events)
      if (events.length === 0) session.terminal.print('There is no such event.')
      else printTable(session.terminal, columns(new Date()), events)
    })
}

function columns(now: Date): Column<EmittedEvent>[] {
  return [
    { title: 'event', cell: ({ id }) => id, side: 'right', whole: true },
    { title: 'name', cell: ({ name }) => name },
    { title: 'by', cell: ({ origin, emittedBy }) => (origin === null ? emittedBy : `run ${origin.run}`) },
    { title: 'started', cell: startWords },
    { title: 'age', cell: ({ emittedAt }) => age(emittedAt, now), side: 'right', whole: true },
  ]
}

function startWords({ starts, settledAt }: EmittedEvent): string {
  if (settledAt === null) return 'not yet'
  if (starts.length === 0) return 'nothing: nobody subscribes to it'
  return starts
    .map(({ pipeline, run, refusal }) =>
      run === null ? `${pipeline} refused: ${refusal}` : `${pipeline} ${run}`,
    )
    .join(', ')
}
