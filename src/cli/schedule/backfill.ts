// millrace schedule backfill: fires the slots of a time that has passed.
import { Command, Option } from 'commander'
import type { Duration } from '../../core/duration.ts'
import { count } from '../../core/wording.ts'
import { Schedules } from '../../sdk/schedules.ts'
import { pastTime, text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly from: Date
  readonly until?: Date
  readonly overlap?: string
  readonly stagger?: string
  readonly dryRun?: boolean
}

export function backfillCommand(current: CurrentSession): Command {
  return new Command('backfill')
    .description(
      'fire the slots of a time that has passed, one after another; those that had a run stay as they are',
    )
    .argument('<name>', 'the name of the schedule')
    .requiredOption('--from <time>', 'slots from there: 2030-01-31T08:00Z, or 2d before now', pastTime)
    .option('--until <time>', 'until there; until now unless told', pastTime)
    .addOption(
      new Option('--overlap <overlap>', 'one after another, or side by side').choices(['queue-all', 'allow']),
    )
    .option('--stagger <time>', 'so long after each other', text('--stagger'))
    .option('--dry-run', 'only say how many')
    .action(async (name: string, { from, until, overlap, stagger, dryRun = false }: Choices) => {
      const session = current()
      const answer = await session.withDatabase(({ caller }) =>
        new Schedules(() => Promise.resolve(caller)).backfill(name, {
          from,
          dryRun,
          ...(until === undefined ? {} : { until }),
          ...(overlap === 'allow' ? { overlap: 'allow' } : {}),
          ...(stagger === undefined ? {} : { stagger: stagger as Duration }),
        }),
      )
      session.terminal.answer(answer)
      const { queued, firedBefore } = answer
      session.terminal.print(
        `${count(queued, 'slot', 'slots')} of ${name} ${dryRun ? 'would be fired' : queued === 1 ? 'is fired' : 'are fired'}; ${firedBefore} had been before.`,
      )
    })
}
