// millrace event emit: an event, and with it a run of each pipeline that subscribes to it.
import { Command } from 'commander'
import { emitEvent } from '../../sdk/emit.ts'
import { jsonValue } from '../json-value.ts'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly tenant?: string
  readonly idempotencyKey?: string
}

export function emitCommand(current: CurrentSession): Command {
  return new Command('emit')
    .description('emit an event: a worker starts a run for each subscription that it fits')
    .argument('<name>', 'the name of the event')
    .argument('[payload]', 'what it carries, as JSON; - reads it from stdin')
    .option('--tenant <name>', 'whose event it is', text('--tenant'))
    .option(
      '--idempotency-key <key>',
      'emitted again under it, it is the same event',
      text('--idempotency-key'),
    )
    .action(async (name: string, payload: string | undefined, choices: Choices) => {
      const session = current()
      const given = await jsonValue(session, 'The payload', payload)
      const id = await session.withDatabase(({ caller }) => emitEvent(caller, name, given, choices))
      session.terminal.answer({ id, name })
      session.terminal.print(`Event ${id} '${name}' is emitted.`)
    })
}
