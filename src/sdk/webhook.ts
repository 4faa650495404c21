// Owns a webhook as an author writes it: who sends, how that is proved, and what starts which pipelines.
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { isIpRange } from '../core/ip-ranges.ts'
import { isShortText } from '../core/short-text.ts'
import { type HmacScheme, type Scheme, schemes } from '../core/webhook-scheme.ts'
import type { Delivery } from './delivery.ts'
import type { PipelineInput, Startable } from './startable.ts'
import { type Trigger, triggerOf } from './trigger.ts'
import { optionNames, unknownOption } from './unknown-option.ts'

/** A sender that signs in a way of its own. */
export interface HmacOptions {
  /** The header of the signature. */
  readonly header: string
  /** sha256 by default. */
  readonly algorithm?: 'sha256' | 'sha384' | 'sha512'
  /** hex by default. */
  readonly encoding?: 'hex' | 'base64'
  /** What stands before the signature in its header, such as 'sha256='. Nothing by default. */
  readonly prefix?: string
  /** What stands between several signatures of one header. One signature by default. */
  readonly separator?: string
  /** The header of the time of signing, in seconds since 1970; then `signed` has to hold {timestamp}. */
  readonly timestamp?: string
  /** The header of an id that is signed; then `signed` has to hold {id}. */
  readonly signedId?: string
  /** What is signed: '{body}' by default, or as in '{timestamp}.{body}'. */
  readonly signed?: string
}

export type WebhookProvider =
  | keyof typeof schemes
  | { readonly hmac: HmacOptions }
  | { readonly apiKey: { readonly header: string } }

/** By what a delivery is known when it comes again: a header, a path into its JSON body, what is signed, or nothing. */
export type DeliveryId = { readonly header: string } | { readonly path: string } | 'content' | 'none'

/** A pipeline that a webhook starts. */
export interface WebhookTarget<P extends Startable> {
  readonly pipeline: P
  /** The input; the JSON of the body by default. What it throws fails the delivery, which is then kept, and can be replayed. */
  readonly map?: (delivery: Delivery) => PipelineInput<P> | Promise<PipelineInput<P>>
  /** False: this delivery is not for this pipeline. */
  readonly filter?: (delivery: Delivery) => boolean | Promise<boolean>
}

export interface WebhookOptions {
  readonly provider: WebhookProvider
  /** The name of a secret, or of two of which one must have signed. Its version before the current one counts while its overlap lasts. */
  readonly secret: string | readonly [string, string]
  /** Needed where the provider says nothing of it: 'basic', 'api-key', and schemes of your own. */
  readonly id?: DeliveryId
  /** Addresses and networks that may send; all by default. */
  readonly ipAllow?: readonly string[]
  /** The most bytes of a body, up to 10,485,760; 1,048,576 by default. */
  readonly bodyLimit?: number
  /** application/json by default; with 'slack' also application/x-www-form-urlencoded. */
  readonly contentTypes?: readonly string[]
  /** How far the time of signing may lie off, both ways; '5m' by default, an hour at most. */
  readonly tolerance?: Duration
  /** Whose runs it starts. */
  readonly tenant?: string | ((delivery: Delivery) => string | undefined)
  /** For how many days deliveries are kept, 1 to 3,650; 30 by default. */
  readonly keepDays?: number
}

type AnyTarget = WebhookTarget<Startable>

/** What a handler reads of a webhook. */
export interface WebhookDefinition {
  readonly provider: string
  readonly scheme: Scheme
  readonly secrets: readonly string[]
  readonly id: DeliveryId
  readonly targets: readonly AnyTarget[]
  readonly ipAllow: readonly string[] | undefined
  readonly bodyLimit: number
  readonly contentTypes: readonly string[]
  readonly toleranceMs: number
  readonly tenant: WebhookOptions['tenant']
  readonly keepDays: number
}

export type Webhook = Trigger<'webhook'> & WebhookDefinition

const ids: Readonly<Record<string, DeliveryId>> = {
  github: { header: 'x-github-delivery' },
  stripe: { path: 'id' },
  slack: { path: 'event_id' },
  standard: { header: 'webhook-id' },
  shopify: { header: 'x-shopify-webhook-id' },
}

const bodyLimitMax = 10_485_760
const toleranceMsMax = 3_600_000
const targetsMax = 20
const listMax = 100

const targetOptions = optionNames<AnyTarget>({ pipeline: true, map: true, filter: true })

const webhookOptions = optionNames<WebhookOptions & AnyTarget & { readonly pipelines: unknown }>({
  provider: true,
  secret: true,
  pipeline: true,
  map: true,
  filter: true,
  pipelines: true,
  id: true,
  ipAllow: true,
  bodyLimit: true,
  contentTypes: true,
  tolerance: true,
  tenant: true,
  keepDays: true,
})

const hmacOptions = optionNames<HmacOptions>({
  header: true,
  algorithm: true,
  encoding: true,
  prefix: true,
  separator: true,
  timestamp: true,
  signedId: true,
  signed: true,
})

/**
 * A webhook that starts one pipeline, or several, each with its own map and filter.
 *
 * @throws MillraceError webhook_invalid, duration_invalid
 */
export function webhook<const P extends Startable>(
  name: string,
  options: WebhookOptions & WebhookTarget<P>,
): Webhook
export function webhook<const Ps extends readonly Startable[]>(
  name: string,
  options: WebhookOptions & { readonly pipelines: { readonly [K in keyof Ps]: WebhookTarget<Ps[K]> } },
): Webhook
export function webhook(
  name: string,
  options: WebhookOptions & Partial<AnyTarget> & { readonly pipelines?: readonly AnyTarget[] },
): Webhook {
  const { provider, ipAllow, keepDays = 30, bodyLimit = 1_048_576 } = options
  const isNamed = typeof provider === 'string'
  const toleranceMs = durationMs(options.tolerance ?? '5m', `The tolerance of webhook '${name}'`)
  const secrets = typeof options.secret === 'string' ? [options.secret] : options.secret
  const targets = targetsOf(options)
  const id = options.id ?? (isNamed ? ids[provider] : undefined)
  checkOptions(name, options)
  checkWebhook(name, [
    [
      /^[a-z][a-z0-9-]{0,62}$/.test(name),
      "a name that is not made of a letter, then letters, digits and '-', at most 63",
    ],
    [
      isNamed ? Object.hasOwn(schemes, provider) : 'hmac' in provider || 'apiKey' in provider,
      `a provider${isNamed ? ` '${provider.slice(0, 100)}'` : ''} that is not known: give one of ${Object.keys(schemes).join(', ')}, or a scheme of your own as { hmac: … } or { apiKey: … }`,
    ],
    [
      Array.isArray(secrets) && secrets.length >= 1 && secrets.length <= 2 && secrets.every(isName),
      'no name of a secret: a webhook without one would take what anybody sends',
    ],
    [
      id !== undefined,
      "no id: say by what a delivery is known when it comes again, as in id: { header: 'x-request-id' }, id: 'content' or id: 'none'",
    ],
    [
      id === undefined || typeof id === 'string' || ('header' in id ? isHeader(id.header) : id.path !== ''),
      'an id whose header is no name of one, or whose path is empty',
    ],
    [targets.length >= 1 && targets.length <= targetsMax, `no pipeline, or more than ${targetsMax}`],
    [new Set(targets.map(slugOf)).size === targets.length, 'one pipeline twice'],
    [isWhole(bodyLimit, 1, bodyLimitMax), `a bodyLimit that is not a whole number from 1 to ${bodyLimitMax}`],
    [
      toleranceMs >= 1_000 && toleranceMs <= toleranceMsMax,
      'a tolerance that is not from a second to an hour',
    ],
    [isWhole(keepDays, 1, 3_650), 'a keepDays that is not a whole number from 1 to 3,650'],
    [
      ipAllow === undefined || (ipAllow.length <= listMax && ipAllow.every(isIpRange)),
      'an ipAllow that is not a list of at most 100 addresses and networks',
    ],
    [
      options.contentTypes === undefined ||
        (options.contentTypes.length > 0 &&
          options.contentTypes.length <= listMax &&
          options.contentTypes.every((type) => /^[\w.+-]+\/[\w.+-]+$/.test(type))),
      'contentTypes that are none, or more than 100',
    ],
    [
      typeof options.tenant !== 'string' || isShortText(options.tenant),
      'a tenant that is not a text of 1 to 200 characters',
    ],
  ])
  return triggerOf('webhook', name, {
    provider: isNamed ? provider : 'hmac' in provider ? 'hmac' : 'api-key',
    scheme: schemeOf(name, provider),
    secrets,
    id: id!,
    targets,
    ipAllow,
    bodyLimit,
    contentTypes: (options.contentTypes ?? typesOf(provider)).map((type) => type.toLowerCase()),
    toleranceMs,
    tenant: options.tenant,
    keepDays,
  })
}

/** Whether a trigger is a webhook. */
export function isWebhook(trigger: Trigger): trigger is Webhook {
  return trigger.kind === 'webhook'
}

function slugOf({ pipeline }: AnyTarget): string {
  return typeof pipeline === 'string' ? pipeline : pipeline.slug
}

/**
 * Whether what is sent must not lie in the database in the clear.
 *
 * @param encrypts asked of a pipeline that is given by its name
 */
export async function isSealed(
  { targets }: WebhookDefinition,
  encrypts: (slug: string) => Promise<boolean>,
): Promise<boolean> {
  for (const { pipeline } of targets)
    if (typeof pipeline === 'string' ? await encrypts(pipeline) : pipeline.graph.encrypt !== undefined)
      return true
  return false
}

/** What the database keeps of a webhook: no function and no secret. */
export function definitionRow(webhook: Webhook) {
  const { name, provider, secrets, targets, keepDays, id, ipAllow, bodyLimit, contentTypes, toleranceMs } =
    webhook
  return {
    name,
    provider,
    secrets,
    pipelines: targets.map(slugOf),
    kept_days: keepDays,
    settings: {
      id,
      body_limit: bodyLimit,
      content_types: contentTypes,
      tolerance_ms: toleranceMs,
      scheme: webhook.scheme,
      ...(ipAllow !== undefined && { ip_allow: ipAllow }),
    },
  }
}

function targetsOf(
  options: Partial<AnyTarget> & { readonly pipelines?: readonly AnyTarget[] },
): readonly AnyTarget[] {
  const { pipeline, pipelines, map, filter } = options
  if (pipelines !== undefined) return pipelines
  if (pipeline === undefined) return []
  return [{ pipeline, ...(map !== undefined && { map }), ...(filter !== undefined && { filter }) }]
}

function schemeOf(name: string, provider: WebhookProvider): Scheme {
  if (typeof provider === 'string') return schemes[provider]
  if ('apiKey' in provider) {
    const header = provider.apiKey.header.toLowerCase()
    checkWebhook(name, [[isHeader(header), 'a header of the key that is no name of one']])
    return { kind: 'api-key', header }
  }
  const { hmac } = provider
  checkKnown(name, hmac, hmacOptions)
  const scheme: HmacScheme = {
    kind: 'hmac',
    algorithm: hmac.algorithm ?? 'sha256',
    header: hmac.header.toLowerCase(),
    encoding: hmac.encoding ?? 'hex',
    prefix: hmac.prefix ?? '',
    separator: hmac.separator ?? null,
    timestamp: hmac.timestamp === undefined ? null : { header: hmac.timestamp.toLowerCase() },
    signedId: hmac.signedId?.toLowerCase() ?? null,
    signed: hmac.signed ?? '{body}',
    secret: 'text',
  }
  const signs = (part: string) => scheme.signed.split(part).length - 1
  checkWebhook(name, [
    [
      ['sha256', 'sha384', 'sha512'].includes(scheme.algorithm),
      'an algorithm that is not sha256, sha384 or sha512',
    ],
    [['hex', 'base64'].includes(scheme.encoding), 'an encoding that is neither hex nor base64'],
    [isHeader(scheme.header), 'a header of the signature that is no name of one'],
    [
      scheme.timestamp === null || ('header' in scheme.timestamp && isHeader(scheme.timestamp.header)),
      'a header of the time that is no name of one',
    ],
    [scheme.signedId === null || isHeader(scheme.signedId), 'a header of the id that is no name of one'],
    [signs('{body}') === 1, 'a `signed` that does not hold {body} once: the body would not be proved'],
    [
      (scheme.timestamp === null) === (signs('{timestamp}') === 0),
      'a timestamp that is not signed, or one that is signed and not named',
    ],
    [
      (scheme.signedId === null) === (signs('{id}') === 0),
      'an id that is not signed, or one that is signed and not named',
    ],
    [scheme.separator === null || scheme.separator !== '', 'an empty separator'],
  ])
  return scheme
}

function typesOf(provider: WebhookProvider): readonly string[] {
  return provider === 'slack'
    ? ['application/json', 'application/x-www-form-urlencoded']
    : ['application/json']
}

function isHeader(name: string): boolean {
  return /^[\w-]{1,100}$/.test(name)
}

function isName(name: unknown): boolean {
  return typeof name === 'string' && name.trim() !== '' && name.length <= 200
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}

/** What nobody reads would seem to hold: a filter under another name lets all through. */
function checkOptions(
  name: string,
  options: Partial<AnyTarget> & { readonly pipelines?: readonly AnyTarget[] },
): void {
  const { pipeline, map, filter, pipelines = [] } = options
  checkKnown(name, options, webhookOptions)
  for (const target of pipelines) checkKnown(name, target, targetOptions)
  checkWebhook(name, [
    [
      pipelines.length === 0 || [pipeline, map, filter].every((option) => option === undefined),
      'a pipeline, map or filter beside its pipelines, each of which has its own',
    ],
  ])
}

function checkKnown(name: string, options: object, known: readonly string[]): void {
  const unknown = unknownOption(options, known)
  checkWebhook(name, [[unknown === undefined, unknown ?? '']])
}

/** The first that does not hold is told. */
function checkWebhook(name: string, checks: ReadonlyArray<readonly [boolean, string]>): void {
  const broken = checks.find(([holds]) => !holds)
  if (broken !== undefined)
    throw new MillraceError('webhook_invalid', `The webhook '${name.slice(0, 100)}' has ${broken[1]}.`, {
      fields: { webhook: name.slice(0, 100) },
    })
}
