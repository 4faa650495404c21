// millrace subscription define: has an event start runs of a pipeline, or changes what does.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { Subscriptions } from '../../sdk/subscriptions.ts'
import { jsonValue } from '../json-value.ts'
import { text, textPair } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly tenant?: string
  readonly filter?: string
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
    .option('--filter <json>', 'what the payload must contain, as a JSON object', text('--filter'))
    .option(
      '--map <field=path>',
      'a field of the input and its path into the payload; several times',
      textPair,
    )
    .addOption(ifRevisionOption())
    .action(async (name: string, event: string, pipeline: string, choices: Choices) => {
      const session = current()
      const { filter: given, ...rest } = choices
      const filter = await jsonValue(session, '--filter', given)
      if (filter !== undefined && !isObject(filter))
        throw new MillraceError('command_invalid', '--filter takes a JSON object.')
      const { revision } = await session.withDatabase(({ caller }) =>
        new Subscriptions(() => Promise.resolve(caller)).define(name, event, {
          pipeline,
          ...rest,
          ...(filter !== undefined && { filter }),
        }),
      )
      session.terminal.answer({ name, event, pipeline, revision })
      session.terminal.print(
        `Event '${event}' starts ${pipeline} by subscription ${name}, revision ${revision}.`,
      )
    })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
