// Owns the door: a request comes in, its sender is proved, it is judged, kept and started in one transaction, and only then answered.
import { createHash, randomBytes } from 'node:crypto'
import { plainAddress, isInRanges } from '../core/ip-ranges.ts'
import { keptHeaders } from '../core/masked-headers.ts'
import { storableText } from '../core/short-text.ts'
import { contentDigest, proofFault, schemes } from '../core/webhook-scheme.ts'
import type { Cipher } from '../core/encryption.ts'
import type { Caller } from '../db/call.ts'
import type { DeliveryAnswerRow, DeliveryRow } from '../db/deliveries.ts'
import { defineWebhooks } from '../db/webhooks.ts'
import { type Delivery, ReceivedDelivery } from './delivery.ts'
import type { DeliveryBatches, JudgedDelivery } from './delivery-batches.ts'
import { sealBody } from './sealed-deliveries.ts'
import { definitionRow, isSealed, type Webhook } from './webhook.ts'
import { bodyBytesFree, readBody } from './webhook-body.ts'
import { isChallenge, judge, mapMsDefault, type PrepareStart, valueAt } from './webhook-judge.ts'
import type { WebhookSecrets } from './webhook-secrets.ts'

/** What only the server that holds the connection knows of a request. */
export interface RequestAbout {
  /** The address that it came from; without it, a webhook with `ipAllow` refuses all. */
  readonly remoteAddress?: string | undefined
}

/** Answers a request to the webhook that the last part of its path names. */
export type WebhookHandler = (request: Request, about?: RequestAbout) => Promise<Response>

export interface WebhookHandlerOptions {
  /** Milliseconds within which a body has to be there; 10,000 by default. */
  readonly bodyMs?: number
  /** Milliseconds within which each map, each filter and the schema of each input has to answer; 10,000 by default. */
  readonly mapMs?: number
  /**
   * Told of what its sender is only told as 500 or 503: a delivery that could not be kept, a secret that can't be read; and a `DeliveryFailed` where a
   * map, a filter or a start failed, whose message may quote the delivery: log its `reason`. What a rule or a pause refuses is no such failure.
   */
  readonly onError?: (error: unknown) => void
}

/** A delivery was kept as failed. Its message holds what a map or filter has thrown, which may quote the delivery; its fields never do. */
export class DeliveryFailed extends Error {
  readonly code = 'delivery_failed'
  /** The id of the delivery, which holds the rest. */
  readonly delivery: string
  readonly webhook: string
  /** In one word, such as map_failed. */
  readonly reason: string

  constructor(
    delivery: string,
    webhook: string,
    { reason, problem }: Pick<DeliveryRow, 'reason' | 'problem'>,
  ) {
    super(`Delivery ${delivery} to webhook '${webhook}' failed: ${problem ?? reason}`)
    this.delivery = delivery
    this.webhook = webhook
    this.reason = reason ?? 'map_failed'
  }
}

/** What a handler needs of its client. */
export interface HandlerParts {
  readonly caller: () => Promise<Caller>
  readonly cipher: () => Cipher | undefined
  readonly prepare: PrepareStart
  /** Whether starts of a pipeline that is given by its name are encrypted. */
  readonly encrypts: (slug: string) => Promise<boolean>
  readonly batches: DeliveryBatches
  readonly secrets: WebhookSecrets
  readonly newId: () => string
  readonly nowMs: () => number
}

/** Why a request is refused, and what it is answered. A wrong proof and a name that no webhook has get one and the same answer. */
const refusals: Readonly<Record<string, number>> = {
  address: 403,
  content_type: 415,
  content_encoding: 415,
  body_too_large: 413,
  body_too_slow: 408,
  body_broken: 400,
  secret_unreadable: 503,
}
const unproved = 401
/** What bodies that are read and not yet kept may take of this process, and how many of them there may be. */
const bytesMax = 134_217_728
const requestsMax = 2_000
const bodyLimitDefault = 1_048_576
const retrySeconds = 60
/** What a name that no webhook has takes: as most webhooks do, so that no header tells which names there are. */
const nobodys = { ipAllow: undefined, contentTypes: ['application/json'] }

export function createWebhookHandler(
  webhooks: readonly Webhook[],
  parts: HandlerParts,
  options: WebhookHandlerOptions,
): WebhookHandler {
  const door = new Door(webhooks, parts, options)
  return async (request, about = {}) => {
    try {
      return await door.answer(request, about)
    } catch (error) {
      options.onError?.(error)
      return reply(503, { error: 'unavailable' }, { 'retry-after': '5' })
    }
  }
}

class Door {
  readonly #webhooks: ReadonlyMap<string, Webhook>
  readonly #parts: HandlerParts
  readonly #options: WebhookHandlerOptions
  /** Takes part in the work for names that no webhook has. */
  readonly #nobodysSecret = randomBytes(32).toString('hex')
  #registered: Promise<unknown> | undefined
  #bytes = 0
  #requests = 0

  constructor(webhooks: readonly Webhook[], parts: HandlerParts, options: WebhookHandlerOptions) {
    this.#webhooks = new Map(webhooks.map((webhook) => [webhook.name, webhook]))
    this.#parts = parts
    this.#options = options
  }

  async answer(request: Request, about: RequestAbout): Promise<Response> {
    if (request.method !== 'POST') return reply(405, { error: 'method_not_allowed' }, { allow: 'POST' })
    await this.#register()
    const webhook = this.#webhooks.get(nameOf(request))
    const room = { bytes: 0 }
    if (this.#requests >= requestsMax || !this.#take(room, bodyBytesFree)) {
      void request.body?.cancel().catch(() => {})
      return busy()
    }
    this.#requests++
    try {
      return await this.#judge(webhook, request, about, room)
    } finally {
      this.#requests--
      this.#bytes -= room.bytes
    }
  }

  /** Takes room for a body; false where there is none. */
  #take(room: { bytes: number }, bytes: number): boolean {
    if (this.#bytes + bytes > bytesMax) return false
    this.#bytes += bytes
    room.bytes += bytes
    return true
  }

  async #judge(
    webhook: Webhook | undefined,
    request: Request,
    about: RequestAbout,
    room: { bytes: number },
  ): Promise<Response> {
    const seen = this.#see(webhook, request, about)
    const early = earlyFault(webhook ?? nobodys, request, about)
    if (early !== undefined) {
      void request.body?.cancel().catch(() => {})
      return this.#refuse(seen, early)
    }
    const read = await readBody(request, {
      bytesMax: webhook?.bodyLimit ?? bodyLimitDefault,
      deadlineMs: this.#options.bodyMs ?? 10_000,
      take: (bytes) => this.#take(room, bytes),
    })
    if ('fault' in read && read.fault === 'no_room') return busy()
    if ('fault' in read) return this.#refuse(seen, read.fault)
    const withBody = { ...seen, body_bytes: read.body.byteLength }
    const fault = await this.#proofFault(webhook, request, read.body)
    if (webhook === undefined || fault !== undefined) {
      const isHidden = webhook !== undefined && (await isSealed(webhook, this.#parts.encrypts))
      const body_digest = isHidden ? null : sha256(read.body)
      return this.#refuse({ ...withBody, body_digest }, fault ?? 'unknown_webhook')
    }
    return this.#receive(webhook, request, withBody, read.body)
  }

  /** The first request waits for it. Tried again where it failed. */
  #register(): Promise<unknown> {
    this.#registered ??= this.#parts
      .caller()
      .then((caller) => defineWebhooks(caller, [...this.#webhooks.values()].map(definitionRow), null))
    this.#registered.catch(() => {
      this.#registered = undefined
    })
    return this.#registered
  }

  #see(webhook: Webhook | undefined, { headers }: Request, about: RequestAbout): DeliveryRow {
    const { scheme } = webhook ?? { scheme: schemes.github }
    const proving = scheme.kind === 'basic' ? [] : [scheme.header]
    return {
      id: this.#parts.newId(),
      webhook: webhook?.name ?? '',
      provider_id: null,
      tenant: null,
      state: 'refused',
      status: unproved,
      reason: null,
      problem: null,
      content_type: headers.get('content-type')?.slice(0, 200) ?? null,
      headers: webhook === undefined ? {} : keptHeaders(headers, proving),
      source_ip: plainAddress(about.remoteAddress),
      sealed_body: null,
      body_bytes: null,
      body_digest: null,
      replay_of: null,
      seen_state: null,
      again: false,
    }
  }

  async #proofFault(
    webhook: Webhook | undefined,
    { headers }: Request,
    body: Uint8Array,
  ): Promise<string | undefined> {
    const { scheme, toleranceMs } = webhook ?? { scheme: schemes.github, toleranceMs: 300_000 }
    let secrets = [this.#nobodysSecret]
    if (webhook !== undefined) {
      try {
        secrets = await this.#parts.secrets.read(webhook.secrets, scheme)
      } catch (error) {
        this.#options.onError?.(error)
        return 'secret_unreadable'
      }
    }
    return proofFault(scheme, { headers, body }, { secrets, toleranceMs, nowMs: this.#parts.nowMs() })
  }

  /** Refused requests are kept as well, as far as they are few. */
  async #refuse(seen: DeliveryRow, reason: string): Promise<Response> {
    const status = refusals[reason] ?? unproved
    await this.#parts.batches.receive({ row: { ...seen, status, reason }, body: null, starts: [] })
    return refusal(status)
  }

  async #receive(webhook: Webhook, request: Request, seen: DeliveryRow, body: Uint8Array): Promise<Response> {
    const { parts, id } = { parts: this.#parts, id: seen.id }
    const sent = {
      id,
      webhook: webhook.name,
      receivedAt: new Date(parts.nowMs()),
      headers: seen.headers,
      contentType: seen.content_type,
      body,
      isReplay: false,
    }
    const sealed = await isSealed(webhook, parts.encrypts)
    const unnamed = new ReceivedDelivery({ ...sent, providerId: null })
    const provider_id = providerIdOf(webhook, request, unnamed, sealed)
    const delivery = new ReceivedDelivery({ ...sent, providerId: provider_id })
    const row: DeliveryRow = {
      ...seen,
      provider_id,
      body_digest: sealed ? null : sha256(body),
      sealed_body: sealed ? sealBody(parts.cipher(), { ...seen, provider_id }, body) : null,
    }
    const judged = await judge(
      webhook,
      delivery,
      { row, body: sealed ? null : body },
      { prepare: parts.prepare, mapMs: this.#options.mapMs ?? mapMsDefault, isSealed: sealed },
    )
    return this.#keep(webhook, delivery, judged)
  }

  async #keep(webhook: Webhook, delivery: Delivery, judged: JudgedDelivery): Promise<Response> {
    const answer = await this.#parts.batches.receive(judged)
    if (answer.state === 'refused') return refusal(unproved)
    if (answer.reason === 'url_verification' && isChallenge(webhook, delivery))
      return reply(200, { challenge: valueAt(delivery, 'challenge') })
    // What a rule or a pause refuses fails as it is meant to.
    if (answer.state === 'failed' && answer.reason !== 'limit' && answer.reason !== 'paused')
      this.#options.onError?.(new DeliveryFailed(answer.delivery_id ?? judged.row.id, webhook.name, answer))
    return answerOf(answer)
  }
}

/** What can be told before the body is read. */
function earlyFault(
  webhook: Pick<Webhook, 'ipAllow' | 'contentTypes'>,
  { headers }: Request,
  { remoteAddress }: RequestAbout,
): string | undefined {
  if (webhook.ipAllow !== undefined && !isInRanges(remoteAddress, webhook.ipAllow)) return 'address'
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding !== 'identity') return 'content_encoding'
  const [type = '', ...parameters] = (headers.get('content-type') ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  if (!webhook.contentTypes.includes(type)) return 'content_type'
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice(8)
  return charset === undefined || ['utf-8', 'utf8', '"utf-8"'].includes(charset) ? undefined : 'content_type'
}

function nameOf({ url }: Request): string {
  return new URL(url).pathname.split('/').findLast((part) => part !== '') ?? ''
}

/** Where the sender should have given an id and did not, what it signed is the id: so that the same request is the same delivery. */
function providerIdOf(
  webhook: Webhook,
  { headers }: Request,
  delivery: Delivery,
  sealed: boolean,
): string | null {
  const { id } = webhook
  if (id === 'none') return null
  const given =
    id === 'content' ? undefined : 'header' in id ? headers.get(id.header) : valueAt(delivery, id.path)
  if ((typeof given === 'string' && given !== '') || typeof given === 'number') {
    const text = String(given)
    const isPlain = text.length <= 500 && storableText(text, 500) === text
    return isPlain ? text : `sha256:${sha256(Buffer.from(text))}`
  }
  const { scheme } = webhook
  const digest = contentDigest(scheme, { headers, body: delivery.body })
  // Nobody may guess at what was sent by its digest: so the proof, which is known to nobody else, goes in.
  const proof = headers.get(scheme.kind === 'basic' ? 'authorization' : scheme.header) ?? ''
  return `content:${sealed ? sha256(Buffer.from(`${proof} ${digest}`)) : digest}`
}

function answerOf({ delivery_id, state, status, retry_after_seconds }: DeliveryAnswerRow): Response {
  const again = status === 429 || status === 503 ? (retry_after_seconds ?? retrySeconds) : undefined
  return reply(
    status,
    { delivery: delivery_id, state },
    again === undefined ? {} : { 'retry-after': String(again) },
  )
}

/** Says no more than the status does. What may still be on its way of the body is not waited for. */
function refusal(status: number): Response {
  const ends = status === 413 || status === 408 ? { connection: 'close' } : {}
  return reply(status, { error: 'refused' }, ends)
}

function busy(): Response {
  return reply(503, { error: 'busy' }, { 'retry-after': '1', connection: 'close' })
}

function reply(status: number, body: object, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    },
  })
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
