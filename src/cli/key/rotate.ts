// millrace key rotate: makes a key in the place of another one; both are taken until the overlap is over.
import { Command } from 'commander'
import type { Duration } from '../../core/duration.ts'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { answerOf, idOfKey, printMade, withKeys } from './keys.ts'

interface Choices {
  readonly overlap: Duration
  readonly livesFor?: Duration
}

export function rotateCommand(current: CurrentSession): Command {
  return new Command('rotate')
    .description('make a key in the place of another one, with the same rights, and show it, this once')
    .argument('<key>', 'how the key begins, as in the list, or its id')
    .option(
      '--overlap <duration>',
      'how long the old one is taken beside it, up to 30d',
      text('--overlap') as (value: string) => Duration,
      '1d' as Duration,
    )
    .option(
      '--lives-for <duration>',
      'how long the new one is taken',
      text('--lives-for') as (value: string) => Duration,
    )
    .action(async (key: string, choices: Choices) => {
      const made = await withKeys(current, async (keys) => keys.rotate(await idOfKey(keys, key), choices))
      const session = current()
      session.terminal.answer({ ...answerOf(made), old_expires_at: made.oldExpiresAt })
      printMade(session, made)
      session.terminal.print(`The old one is taken until ${made.oldExpiresAt.toISOString()}.`)
    })
}
