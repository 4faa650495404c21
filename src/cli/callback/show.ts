// millrace callback show: one delivery, and each attempt at it.
import { Command } from 'commander'
import { fill } from '../../core/text-fill.ts'
import { dateWords } from '../../core/wording.ts'
import { type CallbackAttempt, type CallbackDelivery, Callbacks } from '../../sdk/callbacks.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import { targetOf } from './words.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show what became of one callback, attempt by attempt')
    .argument('<callback>', 'its id, which is the webhook-id of what was sent')
    .action(async (id: string) => {
      const session = current()
      const delivery = await session.withDatabase(({ caller }) =>
        new Callbacks(() => Promise.resolve(caller)).get(id),
      )
      session.terminal.answer(delivery)
      for (const line of fill(headWords(delivery))) session.terminal.print(line)
      if (delivery.attempts.length === 0) return
      session.terminal.print()
      printTable(session.terminal, columns, delivery.attempts)
    })
}

function headWords({ run, pipeline, ended, url, secret, disabled, ...delivery }: CallbackDelivery): string {
  const head = `Run ${run} of ${pipeline} ${ended === 'cancelled' ? 'was' : 'has'} ${ended}; ${targetOf(url)} is told, signed with '${secret}'.`
  const gone = disabled ? ' Its address said that it is gone, so that nothing is sent there any more.' : ''
  return `${head} ${stateWords(delivery)}${gone}`
}

function stateWords({
  deliveredAt,
  givenUpAt,
  dueAt,
  reason,
}: Pick<CallbackDelivery, 'deliveredAt' | 'givenUpAt' | 'dueAt' | 'reason'>): string {
  if (deliveredAt !== null) return `It was delivered on ${dateWords(deliveredAt)} UTC.`
  if (givenUpAt !== null) return `It was given up on ${dateWords(givenUpAt)} UTC: ${reason}.`
  return `It is sent next on ${dateWords(dueAt ?? new Date())} UTC${reason === null ? '' : `: ${reason}`}.`
}

const columns: readonly Column<CallbackAttempt>[] = [
  { title: 'try', cell: ({ number }) => String(number), side: 'right', whole: true },
  { title: 'at', cell: ({ at }) => dateWords(at), whole: true },
  { title: 'took', cell: ({ durationMs }) => `${durationMs} ms`, side: 'right', whole: true },
  { title: 'answer', cell: ({ status }) => (status === null ? '' : String(status)), whole: true },
  { title: 'because', cell: ({ reason }) => reason ?? '' },
]
