// millrace limit set: defines a rule, or changes it while runs are under way.
import { Command, InvalidArgumentError } from 'commander'
import type { Duration } from '../../core/duration.ts'
import { MillraceError } from '../../core/errors.ts'
import { isName } from '../../core/graph.ts'
import { settingWords, targetWords } from '../../core/limit-words.ts'
import type { Caller } from '../../db/call.ts'
import type { LimitTarget } from '../../db/limits.ts'
import { listVersions, type VersionRow } from '../../db/pipeline-list.ts'
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
      const { revision, told, unknown } = await session.withDatabase(async ({ caller }) => {
        const limits = new Limits(() => Promise.resolve(caller))
        if (choices.for === undefined) await checkTargeted(limits, name)
        const { revision } = await limits.define(rule, {
          ...(choices.for === undefined ? {} : { targets: choices.for }),
          ...(ifRevision === undefined ? {} : { ifRevision }),
        })
        // It is set: whoever may not read limits is told what was typed.
        const [told] = await limits.list({ name, keys: 1 }).catch(() => [])
        return { revision, told, unknown: await unknownTargets(caller, choices.for ?? []) }
      })
      const targets = told?.targets ?? choices.for ?? []
      session.terminal.answer({ name, revision, settings: told?.settings ?? rule.settings, targets })
      session.terminal.print(
        `Limit ${name} is at revision ${revision}: ${settingWords(rule.settings)}, for ${targets.map(targetWords).join(', ')}.`,
      )
      if (!session.terminal.json) for (const line of unknown) session.terminal.note(line)
    })
}

/** What a limit holds for is kept when it is changed; of a new one it has to be said. @throws MillraceError command_invalid */
async function checkTargeted(limits: Limits, name: string): Promise<void> {
  if ((await limits.list({ name, keys: 0 })).length > 0) return
  throw new MillraceError('command_invalid', `Limit '${name}' is new, and nothing says what it holds for.`, {
    hint: 'Say it with --for orders, --for orders/charge or --for queue:slow; several times for several.',
  })
}

/** What is named need not exist yet, which a name that was mistyped never will: so it is told. */
async function unknownTargets(caller: Caller, targets: readonly LimitTarget[]): Promise<string[]> {
  const lines: string[] = []
  for (const { slug, step } of targets) {
    if (slug === undefined) continue
    const versions = await knownVersions(caller, slug)
    if (versions?.length === 0)
      lines.push(
        `No pipeline '${slug}' is registered yet: the limit holds for it once a worker registers it. See those that are with: npx millrace pipeline list`,
      )
    else if (step !== undefined && versions?.some((version) => hasStep(version, step)) === false)
      lines.push(
        `Pipeline '${slug}' has no step '${step}' yet: the limit holds for it once a version has. See its steps with: npx millrace pipeline show ${slug}`,
      )
  }
  return lines
}

/** Undefined where it can't be told, since a key may set limits and not read pipelines: the limit is set all the same. */
async function knownVersions(caller: Caller, slug: string): Promise<VersionRow[] | undefined> {
  try {
    return await listVersions(caller, slug)
  } catch (error) {
    return error instanceof MillraceError && error.code === 'pipeline_unknown' ? [] : undefined
  }
}

function hasStep({ graph }: VersionRow, name: string): boolean {
  return graph.steps.some((step) => step.name === name)
}

function target(value: string, before: readonly LimitTarget[] = []): LimitTarget[] {
  const queue = /^queue:(.*)$/s.exec(value)?.[1]
  const [slug = '', step, ...more] = value.split('/')
  if (queue !== undefined && isName(queue)) return [...before, { queue }]
  if (isName(slug) && step === undefined) return [...before, { slug }]
  if (isName(slug) && isName(step) && more.length === 0) return [...before, { slug, step }]
  throw new InvalidArgumentError(
    '--for takes a pipeline, pipeline/step or queue:name, each name of small letters, digits and hyphens.',
  )
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
