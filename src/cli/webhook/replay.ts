// millrace webhook replay: judges stored deliveries once more, one or all that conditions hold for.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { count } from '../../core/wording.ts'
import type { Replayed } from '../../sdk/webhooks.ts'
import { wholeNumber } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'
import { stateWords } from './delivery-words.ts'
import { type FilterChoices, filterOf, withFilterOptions } from './filter-options.ts'
import { onWebhooks } from './webhooks.ts'

interface Choices extends FilterChoices {
  readonly limit: number
  readonly all?: boolean
  readonly again?: boolean
  readonly dryRun?: boolean
}

const statusOfRefusal = 4

export function replayCommand(current: CurrentSession): Command {
  const command = new Command('replay')
    .description('judge stored deliveries once more, by the functions of millrace.config.ts as they are now')
    .argument('[id]', 'one delivery; otherwise conditions choose')
    .option('--all', 'every delivery that is kept, where no condition is given')
    .option('--again', 'also those that a replay has answered before')
    .option('--limit <n>', 'at most so many, the oldest first', wholeNumber('--limit', 1, 10_000), 1_000)
    .option('--dry-run', 'only say how many')
  return withFilterOptions(command).action(async (id: string | undefined, choices: Choices) => {
    await replay(current(), id, choices)
  })
}

async function replay(session: Session, id: string | undefined, choices: Choices): Promise<void> {
  const filter = filterOf(choices)
  if (id === undefined && Object.keys(filter).length === 0 && !choices.all && !choices.dryRun)
    throw new MillraceError('command_invalid', 'Neither a delivery nor a condition is given.', {
      hint: 'Name one, or replay all that are kept with --all.',
    })
  if (session.remote === undefined) await session.needConfig()
  const { limit, again = false, dryRun = false } = choices
  const replayed = await onWebhooks(session, (webhooks, triggers) =>
    webhooks.replay(triggers, id ?? filter, { limit, again, dryRun }),
  )
  session.terminal.answer(replayed)
  if (dryRun) session.terminal.print(`${count(replayed.count, 'delivery', 'deliveries')} would be replayed.`)
  else tell(session, replayed)
}

function tell(session: Session, { deliveries }: Replayed): void {
  for (const { of, id, state, reason, isRepeat } of deliveries)
    session.terminal.print(
      isRepeat ? `${of} was replayed before, by ${id}` : `${of} ${stateWords({ state, reason })}, as ${id}`,
    )
  session.terminal.print(`${count(deliveries.length, 'delivery', 'deliveries')} replayed.`)
  if (deliveries.some(({ state }) => state === 'failed' || state === 'refused'))
    session.exitStatus = statusOfRefusal
}
