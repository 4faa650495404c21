// What applications do with subscriptions and emitted events: list, define, pause and remove them, and see what each event started.
import type { Caller } from '../db/call.ts'
import {
  defineSubscription,
  type EventRow,
  type EventStartRow,
  listEvents,
  listSubscriptions,
  pauseSubscription,
  removeSubscription,
  type SubscriptionRow,
} from '../db/events.ts'
import type { Startable } from './startable.ts'
import { type SubscribeOptions, subscriptionSettings } from './subscribe.ts'

export interface SubscriptionInfo
  extends Pick<
    SubscriptionRow,
    'name' | 'event' | 'pipeline' | 'tenant' | 'filter' | 'map' | 'source' | 'revision'
  > {
  readonly pausedAt: Date | null
  readonly changedAt: Date
  readonly changedBy: string
}

interface SubscriptionChange {
  /** The revision on which the change was decided; 0 where there was none. */
  readonly ifRevision?: number
}

export class Subscriptions {
  readonly #caller: () => Promise<Caller>

  constructor(caller: () => Promise<Caller>) {
    this.#caller = caller
  }

  /** To all events, or to one, by name. */
  async list(event?: string): Promise<SubscriptionInfo[]> {
    return (await listSubscriptions(await this.#caller(), event ?? null)).map(infoOf)
  }

  /**
   * Defines a subscription, or changes it; answers its revision. From then on it is an operator's, and what code declares under the same name
   * changes nothing.
   *
   * @throws MillraceError subscription_invalid, argument_invalid, pipeline_unknown, revision_conflict
   */
  async define<P extends Startable>(
    name: string,
    event: string,
    { ifRevision, ...options }: Omit<SubscribeOptions<P>, 'name'> & SubscriptionChange,
  ): Promise<{ readonly revision: number }> {
    const settings = subscriptionSettings(event, options as SubscribeOptions<P>)
    return { revision: await defineSubscription(await this.#caller(), name, settings, ifRevision) }
  }

  /** What is emitted meanwhile starts nothing, and is written down so. True where it was not paused. @throws MillraceError subscription_unknown, revision_conflict */
  async pause(name: string, { ifRevision }: SubscriptionChange = {}): Promise<boolean> {
    return pauseSubscription(await this.#caller(), name, true, ifRevision)
  }

  /** True where it was paused. @throws MillraceError subscription_unknown, revision_conflict */
  async resume(name: string, { ifRevision }: SubscriptionChange = {}): Promise<boolean> {
    return pauseSubscription(await this.#caller(), name, false, ifRevision)
  }

  /** Code that declares it brings it back. @throws MillraceError subscription_unknown, revision_conflict */
  async remove(name: string, { ifRevision }: SubscriptionChange = {}): Promise<void> {
    await removeSubscription(await this.#caller(), name, ifRevision)
  }
}

/** An emitted event, and what it started. */
export interface EmittedEvent extends Pick<EventRow, 'id' | 'name' | 'payload' | 'tenant'> {
  readonly emittedAt: Date
  readonly emittedBy: string
  /** The run and the step that emitted it; null where an application did. */
  readonly origin: { readonly run: string; readonly step: string | null } | null
  /** How many events stand before it in its chain. */
  readonly depth: number
  /** Null where it is not worked off yet. */
  readonly settledAt: Date | null
  /** For each subscription the run, or why there is none: live, paused, limit, cycle, too_deep, error. */
  readonly starts: readonly EventStartRow[]
}

export interface EventListOptions {
  readonly name?: string
  /** The id of the last one seen. */
  readonly before?: string
  /** 100 unless told, 1,000 at most. */
  readonly limit?: number
}

const listMax = 1_000

/** The events, the newest first. */
export async function emittedEvents(caller: Caller, options: EventListOptions = {}): Promise<EmittedEvent[]> {
  const { name, before, limit = 100 } = options
  const rows = await listEvents(caller, {
    name: name ?? null,
    before: before ?? null,
    limit: Math.min(Math.max(1, Math.trunc(limit)), listMax),
  })
  return rows.map(eventOf)
}

function eventOf({ run_id: run, step, emitted_at, emitted_by, settled_at, ...row }: EventRow): EmittedEvent {
  return {
    ...row,
    emittedAt: emitted_at,
    emittedBy: emitted_by,
    origin: run === null ? null : { run, step },
    settledAt: settled_at,
  }
}

function infoOf({ paused_at, changed_at, changed_by, ...row }: SubscriptionRow): SubscriptionInfo {
  return { ...row, pausedAt: paused_at, changedAt: changed_at, changedBy: changed_by }
}
