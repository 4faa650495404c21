// Owns subscribe(): a subscription of a pipeline to an emitted event, as it stands in a configuration.
import { MillraceError } from '../core/errors.ts'
import { keyPaths } from '../core/key-path.ts'
import type { SubscriptionSettings } from '../db/events.ts'
import type { PipelineInput, Startable } from './startable.ts'
import { type Trigger, triggerOf } from './trigger.ts'
import { optionNames, unknownOption } from './unknown-option.ts'

export interface SubscribeOptions<P extends Startable = Startable> {
  /** What each event that fits starts a run of. */
  readonly pipeline: P
  /** By which it is known; `pipeline on event` made into one word unless told. */
  readonly name?: string
  /** Only events of this tenant; of all where it is the operator's. */
  readonly tenant?: string
  /** What the payload must contain: objects are compared field by field, as signals are matched. */
  readonly filter?: Readonly<Record<string, unknown>>
  /** The fields of the input, each a path into the payload such as person.id; the payload itself is the input unless told. */
  readonly map?: InputPaths<PipelineInput<P>>
}

/** A path for each field of an input. */
export type InputPaths<Input> = Input extends object
  ? { readonly [Field in keyof Input]?: string }
  : Readonly<Record<string, string>>

export interface Subscription extends Trigger<'subscription'> {
  readonly settings: SubscriptionSettings
}

/**
 * Starts a run of the pipeline for each event of this name that fits, once its emitter has committed.
 *
 * @throws MillraceError subscription_invalid, key_not_a_path
 */
export function subscribe<P extends Startable>(event: string, options: SubscribeOptions<P>): Subscription {
  const settings = subscriptionSettings(event, options)
  const name = options.name ?? `${settings.pipeline}:${event}`.replaceAll(/[^A-Za-z0-9_.:-]/g, '-')
  return triggerOf('subscription', name.slice(0, 200), { settings })
}

const subscribeOptions = optionNames<SubscribeOptions>({
  pipeline: true,
  name: true,
  tenant: true,
  filter: true,
  map: true,
})

/** @throws MillraceError subscription_invalid, key_not_a_path */
export function subscriptionSettings<P extends Startable>(
  event: string,
  options: SubscribeOptions<P>,
): SubscriptionSettings {
  const { pipeline, tenant, filter, map } = options
  if (typeof event !== 'string' || event === '' || event.length > 200)
    throw new MillraceError(
      'subscription_invalid',
      'A subscription names the event that it is to, with 1 to 200 characters.',
    )
  const unknown = unknownOption(options, subscribeOptions)
  if (unknown !== undefined) throw invalid(event, `has ${unknown}`)
  const slug = typeof pipeline === 'string' ? pipeline : pipeline?.slug
  if (typeof slug !== 'string') throw invalid(event, 'names no pipeline')
  return {
    event,
    pipeline: slug,
    ...(tenant !== undefined && { tenant }),
    ...(filter !== undefined && { filter }),
    ...(map !== undefined && { map: pathsOf(event, map) }),
  }
}

function pathsOf(event: string, map: object): Record<string, readonly string[]> {
  const paths = Object.entries(map).map(([field, given]) => {
    const [path, ...others] = keyPaths(event, given as string)
    if (path === undefined || others.length > 0)
      throw invalid(event, `maps ${field} to several paths, not to one`)
    return [field, path] as const
  })
  return Object.fromEntries(paths)
}

function invalid(event: string, problem: string): MillraceError {
  return new MillraceError('subscription_invalid', `The subscription to '${event}' ${problem}.`)
}
