// millrace worker list: the workers that are alive, what they do, and when they were last heard of.
import { Command } from 'commander'
import { durationWords } from '../core/wording.ts'
import { listWorkers, readClock, type WorkerRow } from '../db/diagnosis.ts'
import type { CurrentSession } from './session.ts'
import { type Column, printTable } from './table.ts'

export function workerListCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the workers that are alive: their state, and when they were last heard of')
    .action(async () => {
      const session = current()
      const workers = await session.withDatabase(async ({ caller }) =>
        listWorkers(caller, await readClock(caller)),
      )
      session.terminal.answer(workers)
      if (workers.length === 0)
        session.terminal.print('No worker is alive. Start one with: npx millrace worker')
      else printTable(session.terminal, columns, workers)
    })
}

const columns: Column<WorkerRow>[] = [
  { title: 'worker', cell: ({ name }) => name },
  { title: 'state', cell: ({ state }) => state, whole: true },
  { title: 'slots', cell: ({ slots }) => String(slots), side: 'right' },
  { title: 'queues', cell: ({ queues }) => (queues.length === 0 ? 'all' : queues.join(', ')) },
  { title: 'host', cell: ({ host }) => host },
  { title: 'process', cell: ({ process_id }) => String(process_id ?? ''), side: 'right' },
  {
    title: 'heard of',
    cell: ({ silent_seconds }) => `${durationWords(silent_seconds * 1_000)} ago`,
    whole: true,
  },
]
