// millrace limit set: defines a rule, or changes it while runs are under way.
import { Command, InvalidArgumentError } from 'commander'
import type { Duration } from '../../core/duration.ts'
import { MillraceError } from '../../core/errors.ts'
import { settingWords, targetWords } from '../../core/limit-words.ts'
import type { LimitTarget } from '../../db/limits.ts'
import { limit, type LimitOptions } from '../../sdk/limit.ts'
import { Limits } from '../../sdk/limits.ts'
import { text, texts, wholeNumber } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly concurrency?: number
  readonly strategy?: string
  readonly fifo?: string
  readonly fairness?: true
  readonly weight?: Readonly<Record<string, number>>
  readonly defaultWeight?: number
  readonly rate?: string
  readonly burst?: number
  readonly units?: string
  readonly failures?: number
  readonly within?: string
  readonly cooldown?: string
  readonly key?: readonly string[]
  readonly for?: readonly LimitTarget[]
  readonly ifRevision?: number
}

export function setCommand(current: CurrentSession): Command {
  return new Command('set')
    .description("define a limit, or change it; from then on it is an operator's")
    .argument('<name>', 'the name of the limit')
    .option('--concurrency <n>', 'so many tasks at once', wholeNumber('--concurrency', 1, 1_000_000))
    .option(
      '--strategy <strategy>',
      'for whom there is no room: wait, reject-newest or cancel-oldest',
      text('--strategy'),
    )
    .option(
      '--fifo <failed>',
      'with a concurrency of 1: in strict order, and one that failed may block the others, or let them pass',
      text('--fifo'),
    )
    .option('--fairness', 'the keys take turns')
    .option(
      '--weight <key=n>',
      'so many tasks of a key each turn, as in acme=3; several times for several',
      weight,
    )
    .option('--default-weight <n>', 'so many of each other key', wholeNumber('--default-weight', 1, 1_000))
    .option('--rate <units/time>', 'so many in a time, as in 100/1m', text('--rate'))
    .option('--burst <n>', 'so many at once after a rest', wholeNumber('--burst', 1, 1_000_000))
    .option('--units <path>', 'where the units stand that a task takes', text('--units'))
    .option('--failures <n>', 'nothing begins after so many failures', wholeNumber('--failures', 1, 1_000))
    .option('--within <time>', 'the time in which they are counted', text('--within'))
    .option('--cooldown <time>', 'after so long one task tries it', text('--cooldown'))
    .option(
      '--key <path>',
      'what is counted apart, as in account.id, $tenant or $item.host; several times for several',
      texts('--key'),
    )
    .option(
      '--for <target>',
      'a pipeline, pipeline/step or queue:name; several times for several; what it holds for now unless told',
      target,
    )
    .addOption(ifRevisionOption())
    .action(async (name: string, choices: Choices) => {
      const session = current()
      const rule = limit(name, optionsOf(choices))
      const { ifRevision } = choices
      const { revision, told } = await session.withDatabase(async ({ caller }) => {
        const limits = new Limits(() => Promise.resolve(caller))
        const { revision } = await limits.define(rule, {
          ...(choices.for === undefined ? {} : { targets: choices.for }),
          ...(ifRevision === undefined ? {} : { ifRevision }),
        })
        const [told] = await limits.list({ name, keys: 1 })
        return { revision, told }
      })
      const targets = told?.targets ?? []
      session.terminal.answer({ name, revision, settings: told?.settings ?? rule.settings, targets })
      session.terminal.print(
        `Limit ${name} is at revision ${revision}: ${settingWords(rule.settings)}, for ${targets.map(targetWords).join(', ')}.`,
      )
    })
}

function target(value: string, before: readonly LimitTarget[] = []): LimitTarget[] {
  const queue = /^queue:(.+)$/.exec(value)
  if (queue !== null) return [...before, { queue: queue[1] ?? '' }]
  const [slug = '', step, ...more] = value.split('/')
  if (slug === '' || step === '' || more.length > 0)
    throw new InvalidArgumentError('--for takes a pipeline, pipeline/step or queue:name.')
  return [...before, step === undefined ? { slug } : { slug, step }]
}

function weight(value: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const found = /^(.+)=(\d{1,4})$/.exec(value)
  if (found === null) throw new InvalidArgumentError('--weight takes a key and a number, as in acme=3.')
  return { ...before, [found[1] ?? '']: Number(found[2]) }
}

/** What was typed; limit() refuses what does not go together. */
function optionsOf({ key, rate, burst, units, ...choices }: Choices): LimitOptions {
  const { concurrency, strategy, fifo, fairness, weight: weights, defaultWeight } = choices
  const { failures, within, cooldown } = choices
  const given = {
    ...(key === undefined ? {} : { key }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(strategy === undefined ? {} : { strategy: strategy.replace('-', ' ') }),
    ...(fifo === undefined ? {} : { fifo }),
    ...(fairness === undefined && weights === undefined && defaultWeight === undefined
      ? {}
      : { fairness: { ...(weights && { weights }), ...(defaultWeight && { defaultWeight }) } }),
    ...(rate === undefined ? {} : { rate }),
    ...(burst === undefined ? {} : { burst }),
    ...(units === undefined ? {} : { units }),
    ...(failures === undefined && within === undefined && cooldown === undefined
      ? {}
      : { breaker: breakerOf(failures, within, cooldown) }),
  }
  return given as LimitOptions
}

function breakerOf(failures: number | undefined, within: string | undefined, cooldown: string | undefined) {
  if (failures !== undefined && within !== undefined && cooldown !== undefined)
    return { failures, within: within as Duration, cooldown: cooldown as Duration }
  throw new MillraceError('command_invalid', 'A breaker takes --failures, --within and --cooldown together.')
}
