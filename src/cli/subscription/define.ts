// millrace subscription define: has an event start runs of a pipeline, or changes what does.
import { Command, InvalidArgumentError } from 'commander'
import { Subscriptions } from '../../sdk/subscriptions.ts'
import { jsonFrom, pair, text } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly tenant?: string
  readonly filter?: Readonly<Record<string, unknown>>
  readonly map?: Readonly<Record<string, string>>
  readonly ifRevision?: number
}

export function defineCommand(current: CurrentSession): Command {
  return new Command('define')
    .description('have an event start runs of a pipeline, or change what does')
    .argument('<name>', 'the name of the subscription')
    .argument('<event>', 'the name of the event')
    .argument('<pipeline>', 'the name of the pipeline')
    .option('--tenant <name>', 'only events of this tenant; of all unless told', text('--tenant'))
    .option('--filter <json>', 'what the payload must contain, as a JSON object', filterFrom)
    .option('--map <field=path>', 'a field of the input and its path into the payload; several times', pair)
    .addOption(ifRevisionOption())
    .action(async (name: string, event: string, pipeline: string, choices: Choices) => {
      const session = current()
      const { revision } = await session.withDatabase(({ caller }) =>
        new Subscriptions(() => Promise.resolve(caller)).define(name, event, { pipeline, ...choices }),
      )
      session.terminal.answer({ name, event, pipeline, revision })
      session.terminal.print(
        `Event '${event}' starts ${pipeline} by subscription ${name}, revision ${revision}.`,
      )
    })
}

function filterFrom(given: string): Readonly<Record<string, unknown>> {
  const filter = jsonFrom(given)
  if (typeof filter === 'object' && filter !== null && !Array.isArray(filter))
    return filter as Readonly<Record<string, unknown>>
  throw new InvalidArgumentError('--filter takes a JSON object.')
}
