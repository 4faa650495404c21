// Owns what is alike of all that starts runs by itself, as it stands in a configuration: a schedule, a webhook, a watched table, a subscription.

const brand = Symbol.for('millrace.trigger')

export type TriggerKind = 'schedule' | 'webhook' | 'watch' | 'subscription'

/** A trigger as `schedule()` and its like make it; each kind adds what it needs. */
export interface Trigger<Kind extends TriggerKind = TriggerKind> {
  readonly [brand]: true
  readonly kind: Kind
  readonly name: string
}

/** What the kinds make their triggers with. */
export function triggerOf<Kind extends TriggerKind, Told extends object>(
  kind: Kind,
  name: string,
  told: Told,
): Trigger<Kind> & Told {
  return { ...told, [brand]: true, kind, name }
}

/** Whether a value is a trigger, also one made by another copy of this package. */
export function isTrigger(value: unknown): value is Trigger {
  return typeof value === 'object' && value !== null && Reflect.get(value, brand) === true
}
