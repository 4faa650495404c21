// Owns what becomes of a delivery whose sender is proved: its functions are asked, and what it starts is made ready. The same for a replay.
import { MillraceError } from '../core/errors.ts'
import { isShortText } from '../core/short-text.ts'
import { checkedInput } from './checked-input.ts'
import type { Delivery } from './delivery.ts'
import { failedRow, type JudgedDelivery } from './delivery-batches.ts'
import type { PendingStart, StartOptions } from './start.ts'
import type { Startable } from './startable.ts'
import type { Webhook, WebhookTarget } from './webhook.ts'

/** Makes a start ready whose input is checked: its version registered, its values sealed. How long the database may take is its own affair. */
export type PrepareStart = (
  pipeline: Startable,
  input: unknown,
  options: StartOptions,
) => Promise<PendingStart>

export interface JudgeParts {
  readonly prepare: PrepareStart
  /** Within which each function that is asked has to answer, and the schema of an input. */
  readonly mapMs: number
  /** What was sent must not lie in the database in the clear. */
  readonly isSealed: boolean
}

/** Unless a handler says otherwise. */
export const mapMsDefault = 10_000

/** An error of a function of the user's fails the delivery, and nothing else. So does one that never answers, or a schema, which would keep its request for ever. */
export async function judge(
  webhook: Webhook,
  delivery: Delivery,
  { row, body }: Pick<JudgedDelivery, 'row' | 'body'>,
  parts: JudgeParts,
): Promise<JudgedDelivery> {
  if (isChallenge(webhook, delivery))
    return { row: { ...row, state: 'filtered', status: 200, reason: 'url_verification' }, body, starts: [] }
  // Known to the error's delivery as well, so that it goes with its tenant.
  let judged = row
  try {
    const tenant = tenantOf(webhook, delivery)
    judged = { ...row, tenant: tenant ?? null }
    const starts: PendingStart[] = []
    for (const target of webhook.targets) {
      const start = await startOf(target, delivery, tenant, parts)
      if (start !== undefined) starts.push(start)
    }
    return starts.length > 0
      ? { row: { ...judged, state: 'accepted', status: 202 }, body, starts, tells: !parts.isSealed }
      : { row: { ...judged, state: 'filtered', status: 202, reason: 'filter' }, body, starts }
  } catch (error) {
    // A message may quote what was sent.
    return { row: failedRow(judged, error, !parts.isSealed), body, starts: [] }
  }
}

/** What Slack sends to see whether somebody answers there. */
export function isChallenge({ provider }: Webhook, delivery: Delivery): boolean {
  if (provider !== 'slack' || !delivery.contentType?.startsWith('application/json')) return false
  return memberOf(jsonOf(delivery), 'type') === 'url_verification'
}

/** The value at a path of names with dots in the JSON of the body; undefined where there is none. */
export function valueAt(delivery: Delivery, path: string): unknown {
  return path.split('.').reduce<unknown>(memberOf, jsonOf(delivery))
}

function jsonOf(delivery: Delivery): unknown {
  try {
    return delivery.json
  } catch {
    return undefined
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined
}

function tenantOf({ name, tenant }: Webhook, delivery: Delivery): string | undefined {
  const told = typeof tenant === 'function' ? tenant(delivery) : tenant
  if (told === undefined || isShortText(told)) return told
  throw new MillraceError(
    'start_option_invalid',
    `The tenant of a delivery to webhook '${name}' is not a text of 1 to 200 characters.`,
    { fields: { option: 'tenant' } },
  )
}

async function startOf(
  { pipeline, map, filter }: WebhookTarget<Startable>,
  delivery: Delivery,
  tenant: string | undefined,
  { prepare, mapMs }: JudgeParts,
): Promise<PendingStart | undefined> {
  if (filter !== undefined && !(await inTime(filter(delivery), mapMs, delivery))) return undefined
  const input = map === undefined ? delivery.json : await inTime(map(delivery), mapMs, delivery)
  const checked = await inTime(checkedInput(pipeline, input), mapMs, delivery)
  return prepare(pipeline, checked, tenant === undefined ? {} : { tenant })
}

/** What answers at once has no timer. */
async function inTime<T>(answer: T | Promise<T>, mapMs: number, { webhook }: Delivery): Promise<T> {
  if (!(answer instanceof Promise)) return answer
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `A map, a filter or the schema of an input of webhook '${webhook}' did not answer within ${mapMs} ms.`
      reject(new MillraceError('webhook_too_slow', message, { fields: { webhook } }))
    }, mapMs)
  })
  try {
    return await Promise.race([answer, over])
  } finally {
    clearTimeout(timer)
  }
}
