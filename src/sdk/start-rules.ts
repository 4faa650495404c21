// Owns the rules on starts as authors write them, and as the database takes them: debounce, throttle, latest, and a cap on what waits.
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { Graph } from '../core/graph.ts'
import { type KeyOption, keyPaths } from '../core/key-path.ts'
import type { StartRuleSettings, StartRules } from '../db/start-rules.ts'

interface Keyed<Input> {
  /** For each value of it, and each tenant, the rule counts anew: a path into the input, a list of paths, or a function that picks them. */
  readonly key?: KeyOption<Input>
}

export interface StartRuleOptions<Input> {
  /** Starts of a key are one run, which begins `wait` after the last of them, and at most `most` after the first; the last input wins. */
  readonly debounce?: Keyed<Input> & { readonly wait: Duration; readonly most?: Duration }
  /** In any span of the time `per`, at most so many starts of a key; what goes beyond is refused, or becomes one later run. Several as a list. */
  readonly throttle?: OneOrMore<
    Keyed<Input> & {
      readonly starts: number
      readonly per: Duration
      readonly surplus?: 'refuse' | 'coalesce'
    }
  >
  /** One run of a key in progress: a newcomer is refused, or the other is cancelled, and the newcomer begins once that has ended. */
  readonly latest?: Keyed<Input> & { readonly do: 'reject newcomer' | 'cancel other' }
  /** At most so many runs of a key that have not begun. Several as a list. */
  readonly waiting?: OneOrMore<Keyed<Input> & { readonly most: number }>
}

/** What of the pipeline a rule has to go with. */
interface Surroundings {
  readonly key: Graph['key']
  readonly encrypt: Graph['encrypt'] | undefined
}

type OneOrMore<T> = T | readonly T[]

export const startRuleNames = ['debounce', 'throttle', 'latest', 'waiting'] as const

/**
 * The rules of a pipeline by name: that of the kind, and `throttle-2` for the second of a kind.
 *
 * @throws MillraceError pipeline_option_invalid, key_not_a_path, duration_invalid
 */
export function startRulesOf(
  slug: string,
  options: StartRuleOptions<never>,
  { key, encrypt }: Surroundings,
): StartRules {
  const ms = (duration: Duration, what: string) => durationMs(duration, `The ${what} of pipeline '${slug}'`)
  const paths = (rule: Keyed<never>) => keyPaths(slug, rule.key)
  const { debounce, throttle, latest, waiting } = options
  const rules: Array<readonly [string, StartRuleSettings]> = []
  if (debounce !== undefined) {
    const { wait, most } = debounce
    const rule = { kind: 'debounce', key: paths(debounce), wait_ms: ms(wait, 'wait of debounce') } as const
    rules.push(['debounce', most === undefined ? rule : { ...rule, most_ms: ms(most, 'most of debounce') }])
  }
  listOf(throttle).forEach((rule, index) => {
    const { starts, per, surplus } = rule
    const settings = {
      kind: 'throttle',
      key: paths(rule),
      starts,
      per_ms: ms(per, 'per of throttle'),
    } as const
    rules.push([numbered('throttle', index), surplus === undefined ? settings : { ...settings, surplus }])
  })
  if (latest !== undefined) rules.push(['latest', { kind: 'latest', key: paths(latest), do: latest.do }])
  listOf(waiting).forEach((rule, index) => {
    rules.push([numbered('waiting', index), { kind: 'waiting', key: paths(rule), most: rule.most }])
  })
  for (const [name, rule] of rules) checkRule(slug, name, rule, { key, encrypt })
  return Object.fromEntries(rules)
}

function listOf<T>(rules: OneOrMore<T> | undefined): readonly T[] {
  if (rules === undefined) return []
  return Array.isArray(rules) ? (rules as readonly T[]) : [rules as T]
}

function numbered(kind: string, index: number): string {
  return index === 0 ? kind : `${kind}-${index + 1}`
}

/** What the database would refuse too, told where it is written. */
function checkRule(
  slug: string,
  name: string,
  rule: StartRuleSettings,
  { key, encrypt }: Surroundings,
): void {
  const refuse = (reason: string) => {
    throw new MillraceError(
      'pipeline_option_invalid',
      `The pipeline '${slug}' has a ${name} that ${reason}.`,
      {
        fields: { pipeline: slug, option: name },
      },
    )
  }
  const isOf = (list: Graph['key'], path: readonly string[]) =>
    list.some((other) => other.join('\0') === path.join('\0'))
  const coalesces = rule.kind === 'debounce' || (rule.kind === 'throttle' && rule.surplus === 'coalesce')
  if (coalesces && encrypt !== undefined)
    refuse(
      "can't be kept: its inputs are encrypted, each for its own run, so several starts can't be made one",
    )
  if (encrypt !== undefined && !rule.key.every((path) => isOf(encrypt.clear, path)))
    refuse('has an encrypted key: name its path in encrypt.clear')
  if (coalesces && !key.every((path) => isOf(rule.key, path)))
    refuse("can't be kept: starts with several run keys would be made one; put the run key into its key")
}
