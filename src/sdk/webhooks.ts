// What applications do with webhooks: mount their handler, look at deliveries, judge them once more, change their secrets.
import { randomBytes } from 'node:crypto'
import type { Cipher } from '../core/encryption.ts'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { DeliveryOutcome, DeliveryState } from '../core/state.ts'
import { isUuid } from '../core/uuid.ts'
import { newSecret, type Scheme, secretFault } from '../core/webhook-scheme.ts'
import type { Caller } from '../db/call.ts'
import {
  countReplayable,
  type DeliveryAnswerRow,
  type DeliveryListRow,
  findDelivery,
  listDeliveries,
  listReplayable,
  readDelivery,
  type StoredDelivery,
} from '../db/deliveries.ts'
import { overlapSecret } from '../db/secrets.ts'
import { defineWebhooks, listWebhooks, type WebhookRow } from '../db/webhooks.ts'
import { ReceivedDelivery } from './delivery.ts'
import { DeliveryBatches } from './delivery-batches.ts'
import { openBody } from './sealed-deliveries.ts'
import { Secrets, writeNext } from './secrets.ts'
import type { Trigger } from './trigger.ts'
import { definitionRow, isSealed, isWebhook, type Webhook } from './webhook.ts'
import { createWebhookHandler, type WebhookHandler, type WebhookHandlerOptions } from './webhook-handler.ts'
import { judge, mapMsDefault, type PrepareStart } from './webhook-judge.ts'
import { WebhookSecrets } from './webhook-secrets.ts'

/** A webhook as it is registered, with what came of its deliveries of the last day. */
export interface WebhookInfo {
  readonly name: string
  readonly provider: string
  readonly pipelines: readonly string[]
  /** The names of its secrets. */
  readonly secrets: readonly string[]
  readonly settings: Readonly<Record<string, unknown>>
  readonly keepDays: number
  readonly revision: number
  readonly changedAt: Date
  readonly changedBy: string
  /** Since when no code declares it any more. */
  readonly retiredAt: Date | null
  readonly lastDay: Readonly<Record<DeliveryState, number>>
  /** When the last one of that day came. */
  readonly lastAt: Date | null
}

/** A delivery, and what became of it; without what was sent. */
export interface DeliveryInfo {
  readonly id: string
  readonly webhook: string
  readonly providerId: string | null
  readonly tenant: string | null
  readonly receivedAt: Date
  readonly judgedAt: Date
  /** How often it was judged: it comes again where it failed. */
  readonly tries: number
  /** How often it came again after it was accepted. */
  readonly repeats: number
  readonly state: DeliveryState
  /** What its sender was answered. */
  readonly status: number
  readonly reason: string | null
  readonly problem: string | null
  readonly contentType: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly sourceIp: string | null
  readonly bodyBytes: number | null
  /** The sha256 of the body, in hex; not of encrypted ones. */
  readonly bodyDigest: string | null
  readonly replayOf: string | null
  readonly replays: readonly string[]
  readonly runs: ReadonlyArray<{
    readonly pipeline: string
    /** limit, paused: refused, so there is no run. */
    readonly outcome: DeliveryOutcome
    readonly run: string | null
    readonly rule: string | null
    readonly passesAt: Date | null
  }>
}

export interface DeliveryFilterOptions {
  readonly webhook?: string
  readonly state?: DeliveryState
  /** Received at or after this time, and before that one. */
  readonly since?: Date
  readonly until?: Date
}

export interface ReplayOptions {
  /** Only say how many. */
  readonly dryRun?: boolean
  /** At most so many, the oldest first: 1,000 by default, up to 10,000. */
  readonly limit?: number
  /** Also what a replay has answered before; each is replayed once without it. */
  readonly again?: boolean
}

export interface ReplayedDelivery {
  /** That which was judged once more. */
  readonly of: string
  /** The replay; that of before, where there has been one. */
  readonly id: string | null
  readonly state: DeliveryState
  readonly reason: string | null
  readonly isRepeat: boolean
}

export interface Replayed {
  /** How many there are, or would be. */
  readonly count: number
  /** Empty of a dry run. */
  readonly deliveries: readonly ReplayedDelivery[]
}

export interface NewSecret {
  readonly name: string
  readonly version: number
  /** Shown here, and never again. */
  readonly value: string
  /** Until when its former version counts as well. */
  readonly overlapSeconds: number
}

export interface WebhookParts {
  readonly caller: () => Promise<Caller>
  readonly cipher: () => Cipher | undefined
  readonly prepare: PrepareStart
  readonly encrypts: (slug: string) => Promise<boolean>
  readonly newId: () => string
  readonly nowMs: () => number
}

const replaysMax = 10_000

export class Webhooks {
  readonly #parts: WebhookParts
  readonly #batches: DeliveryBatches
  readonly #secrets: WebhookSecrets

  constructor(parts: WebhookParts) {
    this.#parts = parts
    this.#batches = new DeliveryBatches(parts.caller)
    this.#secrets = new WebhookSecrets(parts.caller, parts.cipher)
  }

  /** The same in somebody's name: with the rights of this caller, and written down as theirs. */
  as(caller: Caller): Webhooks {
    return new Webhooks({ ...this.#parts, caller: () => Promise.resolve(caller) })
  }

  /**
   * The handler of these webhooks, for any server that speaks Request and Response: `POST …/NAME`. It answers 202 once the delivery and its runs are
   * committed, before they begin. Needs the rights of a worker.
   */
  handler(triggers: readonly Trigger[], options: WebhookHandlerOptions = {}): WebhookHandler {
    const parts = { ...this.#parts, batches: this.#batches, secrets: this.#secrets }
    return createWebhookHandler(triggers.filter(isWebhook), parts, options)
  }

  /** Makes these webhooks known, as their handler does with its first request: so that their secrets can be made before it. */
  async register(triggers: readonly Trigger[]): Promise<void> {
    const webhooks = triggers.filter(isWebhook)
    if (webhooks.length > 0)
      await defineWebhooks(await this.#parts.caller(), webhooks.map(definitionRow), null)
  }

  async list(): Promise<WebhookInfo[]> {
    return (await listWebhooks(await this.#parts.caller(), null)).map(infoOf)
  }

  /** @throws MillraceError webhook_unknown */
  async show(name: string): Promise<WebhookInfo> {
    const [row] = await listWebhooks(await this.#parts.caller(), name)
    if (row === undefined) throw unknownWebhook(name)
    return infoOf(row)
  }

  /** The newest deliveries: 50 unless told, at most 1,000. */
  async deliveries(
    filter: DeliveryFilterOptions & { readonly limit?: number } = {},
  ): Promise<DeliveryInfo[]> {
    const { limit = 50, ...conditions } = filter
    const most = Math.max(1, Math.min(limit, 1_000))
    return (await listDeliveries(await this.#parts.caller(), conditions, most)).map(deliveryOf)
  }

  /** @throws MillraceError delivery_unknown */
  async delivery(id: string): Promise<DeliveryInfo> {
    const row = isUuid(id) ? await findDelivery(await this.#parts.caller(), id) : undefined
    if (row === undefined) throw unknownDelivery(id)
    return deliveryOf(row)
  }

  /**
   * Judges stored deliveries once more, by the functions of these webhooks as they are now: one by its id, or all that a filter finds. A replay is a
   * delivery of its own, linked to the one that it is of, which is replayed once; of one that failed, only what is missing is started.
   *
   * @throws MillraceError delivery_unknown, delivery_not_replayable, webhook_unknown
   */
  async replay(
    triggers: readonly Trigger[],
    which: string | DeliveryFilterOptions,
    { dryRun = false, limit = 1_000, again = false }: ReplayOptions = {},
  ): Promise<Replayed> {
    const webhooks = triggers.filter(isWebhook)
    const caller = await this.#parts.caller()
    const most = Math.max(1, Math.min(limit, replaysMax))
    if (typeof which === 'string') {
      if (!isUuid(which)) throw unknownDelivery(which)
      if (dryRun) {
        await this.#stored(webhooks, which)
        return { count: 1, deliveries: [] }
      }
      await this.register(webhooks)
      return { count: 1, deliveries: [await this.#replayOne(webhooks, which, again)] }
    }
    const { webhook, ...conditions } = which
    if (webhook !== undefined) webhookOf(webhooks, webhook)
    const names = webhook === undefined ? webhooks.map(({ name }) => name) : [webhook]
    const filter = { ...conditions, webhooks: names, again }
    if (dryRun) return { count: await countReplayable(caller, filter, most), deliveries: [] }
    await this.register(webhooks)
    const deliveries: ReplayedDelivery[] = []
    for (const id of await listReplayable(caller, filter, most))
      deliveries.push(await this.#replayOne(webhooks, id, again))
    return { count: deliveries.length, deliveries }
  }

  async #replayOne(webhooks: readonly Webhook[], id: string, again: boolean): Promise<ReplayedDelivery> {
    const { cipher, prepare, encrypts, newId } = this.#parts
    const { webhook, stored } = await this.#stored(webhooks, id)
    const body = stored.body ?? openBody(cipher(), stored, stored.sealed_body)
    const { webhook: name, provider_id, content_type, headers, source_ip, body_bytes, body_digest } = stored
    const delivery = new ReceivedDelivery({
      id: newId(),
      webhook: name,
      providerId: provider_id,
      receivedAt: stored.received_at,
      headers,
      contentType: content_type,
      body,
      isReplay: true,
    })
    const row = {
      id: delivery.id,
      webhook: name,
      provider_id,
      tenant: null,
      state: 'failed' as const,
      status: 500,
      reason: null,
      problem: null,
      content_type,
      headers,
      source_ip,
      sealed_body: null,
      body_bytes,
      body_digest,
      replay_of: stored.id,
      seen_state: stored.state,
      again,
    }
    const judging = { prepare, mapMs: mapMsDefault, isSealed: await isSealed(webhook, encrypts) }
    const answer = await this.#batches.receive(await judge(webhook, delivery, { row, body: null }, judging))
    return replayedOf(stored.id, answer)
  }

  /** What a delivery has kept, and who judges it. @throws MillraceError delivery_unknown, webhook_unknown, delivery_not_replayable */
  async #stored(
    webhooks: readonly Webhook[],
    id: string,
  ): Promise<{ readonly webhook: Webhook; readonly stored: StoredDelivery }> {
    const stored = await readDelivery(await this.#parts.caller(), id)
    if (stored === undefined) throw unknownDelivery(id)
    const webhook = webhookOf(webhooks, stored.webhook)
    if (stored.body !== null || stored.sealed_body !== null) return { webhook, stored }
    throw new MillraceError(
      'delivery_not_replayable',
      `What was sent with delivery ${stored.id} is not kept: it was refused, or a run that it started was erased.`,
      { fields: { delivery: stored.id } },
    )
  }

  /**
   * Gives the secret of a webhook a new value, in the form of its provider: its first, or its next. The former one counts for the overlap, a day unless
   * told. Needs the rights of an admin.
   *
   * @throws MillraceError webhook_unknown, secret_invalid, encryption_key_missing, duration_invalid
   */
  async rotate(
    name: string,
    options: { readonly overlap?: Duration; readonly value?: string } = {},
  ): Promise<NewSecret> {
    const overlapSeconds = Math.ceil(durationMs(options.overlap ?? '1d', 'The overlap of a secret') / 1_000)
    const caller = await this.#parts.caller()
    const [webhook] = await listWebhooks(caller, name)
    if (webhook === undefined) throw unknownWebhook(name)
    const secret = webhook.secrets[0]!
    const found = (await this.#namedSecrets().list()).find((one) => one.name === secret)
    if (found !== undefined && found.source !== 'table')
      throw new MillraceError(
        'secret_invalid',
        `Secret '${secret}' has its value in ${found.reference}: change it there.`,
        { fields: { name: secret } },
      )
    const scheme = webhook.settings.scheme as Scheme
    const value = options.value ?? newSecret(scheme, randomBytes(32))
    const fault = secretFault(scheme, value)
    if (fault !== undefined)
      throw new MillraceError(
        'secret_invalid',
        `The value can't be the secret of webhook '${name}': ${fault}.`,
        {
          fields: { name: secret },
        },
      )
    const head = { name: secret, maxAgeSeconds: null, overlapSeconds }
    const { version } = await writeNext(caller, this.#parts.cipher(), head, { value })
    return { name: secret, version, value, overlapSeconds: found === undefined ? 0 : overlapSeconds }
  }

  /** Ends the overlap of a rotation: within a second, the former value counts no more. False where there was none. @throws MillraceError webhook_unknown */
  async revoke(name: string): Promise<boolean> {
    const caller = await this.#parts.caller()
    const [webhook] = await listWebhooks(caller, name)
    if (webhook === undefined) throw unknownWebhook(name)
    const found = (await this.#namedSecrets().list()).find((one) => one.name === webhook.secrets[0])
    if (found === undefined || found.version < 2) return false
    return overlapSecret(caller, found.name, found.version - 1, 0)
  }

  #namedSecrets(): Secrets {
    return new Secrets(this.#parts.caller, this.#parts.cipher)
  }
}

function webhookOf(webhooks: readonly Webhook[], name: string): Webhook {
  const found = webhooks.find((webhook) => webhook.name === name)
  if (found === undefined) throw unknownWebhook(name)
  return found
}

function unknownWebhook(name: string): MillraceError {
  return new MillraceError('webhook_unknown', `There is no webhook '${name.slice(0, 100)}'.`, {
    fields: { webhook: name.slice(0, 100) },
  })
}

function unknownDelivery(id: string): MillraceError {
  return new MillraceError('delivery_unknown', `There is no delivery '${id.slice(0, 100)}'.`, {
    fields: { delivery: id.slice(0, 100) },
  })
}

function replayedOf(
  of: string,
  { delivery_id, state, reason, is_repeat }: DeliveryAnswerRow,
): ReplayedDelivery {
  return { of, id: delivery_id, state, reason, isRepeat: is_repeat }
}

function infoOf(row: WebhookRow): WebhookInfo {
  const { name, provider, pipelines, secrets, settings, revision, accepted, filtered, failed, refused } = row
  return {
    name,
    provider,
    pipelines,
    secrets,
    settings,
    keepDays: row.kept_days,
    revision,
    changedAt: row.changed_at,
    changedBy: row.changed_by,
    retiredAt: row.retired_at,
    lastDay: { accepted, filtered, refused, failed },
    lastAt: row.last_at,
  }
}

function deliveryOf(row: DeliveryListRow): DeliveryInfo {
  const { id, webhook, tenant, tries, repeats, state, status, reason, problem, headers, replays } = row
  return {
    id,
    webhook,
    providerId: row.provider_id,
    tenant,
    receivedAt: row.received_at,
    judgedAt: row.judged_at,
    tries,
    repeats,
    state,
    status,
    reason,
    problem,
    contentType: row.content_type,
    headers,
    sourceIp: row.source_ip,
    bodyBytes: row.body_bytes,
    bodyDigest: row.body_digest,
    replayOf: row.replay_of,
    replays,
    runs: row.runs.map(({ pipeline, outcome, run_id, rule, passes_at }) => ({
      pipeline,
      outcome,
      run: run_id,
      rule,
      passesAt: passes_at === null ? null : new Date(passes_at),
    })),
  }
}
