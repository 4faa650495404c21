// millrace watch show: one watch, what it says, how it stands, and what became of its changes.
import { Command } from 'commander'
import { printableJson } from '../../core/printable.ts'
import { fill } from '../../core/text-fill.ts'
import { count, dateWords } from '../../core/wording.ts'
import { readClock } from '../../db/diagnosis.ts'
import { Watches, type WatchInfo } from '../../sdk/watches.ts'
import type { CurrentSession } from '../session.ts'
import { backfillWords, stateWords, waitingWords, watchWords } from './words.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show a watch: its table, what waits and why, loops that were cut, gaps, backfills')
    .argument('<name>', 'the name of the watch')
    .action(async (name: string) => {
      const session = current()
      const { watch, now } = await session.withDatabase(async ({ caller }) => ({
        watch: await new Watches(() => Promise.resolve(caller)).show(name),
        now: await readClock(caller),
      }))
      session.terminal.answer(watch)
      for (const line of lines(watch, now).flatMap((text) => fill(text))) session.terminal.print(line)
    })
}

function lines(watch: WatchInfo, now: Date): string[] {
  const { name, source, revision, changedAt, changedBy, problems, installedAt, installedBy } = watch
  const by = source === 'code' ? 'declared in code' : "an operator's"
  return [
    `${name}: ${watchWords(watch)}.`,
    `Revision ${revision}, ${by}, changed by ${changedBy} on ${dateWords(changedAt)} UTC.`,
    `It is ${stateWords(watch)}${installedAt === null ? '' : `, installed by ${installedBy} on ${dateWords(installedAt)} UTC`}.`,
    ...problems.map((problem) => `Wrong: ${problem}.`),
    `Waiting: ${waitingWords(watch, now)}.`,
    ...(watch.held === 0
      ? []
      : [`Held: ${count(watch.held, 'change', 'changes')}, tried again: ${watch.heldReason}.`]),
    `Told: ${count(watch.changesTold, 'change', 'changes')} in ${count(watch.runsStarted, 'run', 'runs')}; ${watch.changesDropped} came to nothing.`,
    ...(watch.lastCut === null
      ? []
      : [
          `Loops cut: ${count(watch.loopsCut, 'change', 'changes')}; the last one by run ${watch.lastCut.run}, of ${printableJson(watch.lastCut.key)}.`,
        ]),
    ...(watch.gaps === 0
      ? []
      : [`Gaps: ${count(watch.gaps, 'change', 'changes')} not recorded; the last one: ${watch.lastGap}.`]),
    ...watch.backfills.map(backfillWords),
  ]
}
