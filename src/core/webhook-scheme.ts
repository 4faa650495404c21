// Owns how a request proves who sent it: one table of schemes, and one check over the raw bytes, in a time that does not depend on what is presented.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** How a provider signs, as data. */
export interface HmacScheme {
  readonly kind: 'hmac'
  readonly algorithm: 'sha256' | 'sha384' | 'sha512'
  /** The header of the signature, or of several. */
  readonly header: string
  readonly encoding: 'hex' | 'base64'
  /** What a signature of the version that is known begins with. Others are passed over. */
  readonly prefix: string
  /** What stands between the parts of the header; null where it is one signature. */
  readonly separator: string | null
  /** Where the time of signing stands, in seconds since 1970: a header of its own, or a part of the signature's header. */
  readonly timestamp: { readonly header: string } | { readonly prefix: string } | null
  /** The header of the id that is signed with the body. */
  readonly signedId: string | null
  /** What is signed: {timestamp}, {id} and {body}, with what stands between them. */
  readonly signed: string
  /** Whether the secret is a text, or whsec_ and base64. */
  readonly secret: 'text' | 'whsec'
}

export type Scheme =
  | HmacScheme
  | { readonly kind: 'basic' }
  | { readonly kind: 'api-key'; readonly header: string }

const plain = { kind: 'hmac', algorithm: 'sha256', separator: null, signedId: null, secret: 'text' } as const

/** As their documentation says it: GitHub "Validating webhook deliveries", Stripe "Verify manually", Slack "Verifying requests", Standard Webhooks 1.0, Shopify "Verify". */
export const schemes = {
  github: {
    ...plain,
    header: 'x-hub-signature-256',
    encoding: 'hex',
    prefix: 'sha256=',
    timestamp: null,
    signed: '{body}',
  },
  stripe: {
    ...plain,
    header: 'stripe-signature',
    encoding: 'hex',
    prefix: 'v1=',
    separator: ',',
    timestamp: { prefix: 't=' },
    signed: '{timestamp}.{body}',
  },
  slack: {
    ...plain,
    header: 'x-slack-signature',
    encoding: 'hex',
    prefix: 'v0=',
    timestamp: { header: 'x-slack-request-timestamp' },
    signed: 'v0:{timestamp}:{body}',
  },
  standard: {
    ...plain,
    header: 'webhook-signature',
    encoding: 'base64',
    prefix: 'v1,',
    separator: ' ',
    timestamp: { header: 'webhook-timestamp' },
    signedId: 'webhook-id',
    signed: '{id}.{timestamp}.{body}',
    secret: 'whsec',
  },
  shopify: {
    ...plain,
    header: 'x-shopify-hmac-sha256',
    encoding: 'base64',
    prefix: '',
    timestamp: null,
    signed: '{body}',
  },
  basic: { kind: 'basic' },
  'api-key': { kind: 'api-key', header: 'x-api-key' },
} as const satisfies Record<string, Scheme>

/** Why a request is not taken for its sender's. */
export type ProofFault =
  | 'signature_missing'
  | 'signature_version'
  | 'signature_wrong'
  | 'id_missing'
  | 'timestamp_missing'
  | 'too_late'
  | 'too_early'
  | 'credentials_missing'
  | 'credentials_wrong'

export interface Presented {
  readonly headers: { get(name: string): string | null }
  readonly body: Uint8Array
}

export interface ProofRules {
  /** Of which one must have signed. */
  readonly secrets: readonly string[]
  readonly nowMs: number
  /** How far the time of signing may lie off, both ways. */
  readonly toleranceMs: number
}

const signaturesMax = 10

/** Undefined where the request is its sender's. All that is presented is compared with all secrets, whether or not one fits. */
export function proofFault(scheme: Scheme, presented: Presented, rules: ProofRules): ProofFault | undefined {
  return scheme.kind === 'hmac'
    ? hmacFault(scheme, presented, rules)
    : credentialsFault(scheme, presented, rules.secrets)
}

/** What is signed, of which equal requests have the same. */
export function contentDigest(scheme: Scheme, presented: Presented): string {
  const hash = createHash('sha256')
  for (const part of scheme.kind === 'hmac' ? signedParts(scheme, presented) : [presented.body])
    hash.update(part)
  return hash.digest('hex')
}

/** What a sender with this secret would write into the header of the signature, but for the prefix: for tests, and for our own requests. */
export function signatureOf(scheme: HmacScheme, presented: Presented, secret: string): string {
  const hmac = createHmac(scheme.algorithm, keyOf(scheme, secret))
  for (const part of signedParts(scheme, presented)) hmac.update(part)
  return hmac.digest(scheme.encoding)
}

/** Why a text can't be a secret of the scheme; undefined where it can. */
export function secretFault(scheme: Scheme, secret: string): string | undefined {
  if (secret.length < 8) return 'it has less than 8 characters'
  if (scheme.kind === 'basic')
    return secret.indexOf(':') > 0 ? undefined : 'it is not written as user:password'
  if (scheme.kind === 'api-key' || scheme.secret === 'text') return undefined
  const text = secret.replace(/^whsec_/, '')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    return 'it is not whsec_ and base64'
  return bytes.length >= 16 ? undefined : 'it has less than 16 bytes'
}

/** A new secret in the form of the scheme, of random bytes: 32 of them. */
export function newSecret(scheme: Scheme, random: Uint8Array): string {
  const bytes = Buffer.from(random)
  if (scheme.kind === 'basic') return `millrace:${bytes.toString('base64url')}`
  if (scheme.kind === 'hmac' && scheme.secret === 'whsec') return `whsec_${bytes.toString('base64')}`
  return bytes.toString('hex')
}

/** A point of time of a signature: whole seconds, and nothing else. */
const timestampPattern = /^[1-9]\d{0,11}$/

function hmacFault(scheme: HmacScheme, presented: Presented, rules: ProofRules): ProofFault | undefined {
  const header = presented.headers.get(scheme.header)
  const parts = (scheme.separator === null ? [header ?? ''] : (header ?? '').split(scheme.separator)).slice(
    0,
    signaturesMax,
  )
  const signatures = parts.flatMap((part) =>
    part.startsWith(scheme.prefix) ? [part.slice(scheme.prefix.length)] : [],
  )
  // What presents nothing costs as much as what presents something.
  const compared = signatures.length === 0 ? [''] : signatures
  const expected = rules.secrets.map((secret) => signatureOf(scheme, presented, secret))
  const fits = isOneEqual(expected, compared)
  if (header === null || header === '') return 'signature_missing'
  if (signatures.length === 0) return 'signature_version'
  if (scheme.signedId !== null && !presented.headers.get(scheme.signedId)) return 'id_missing'
  if (!fits) return 'signature_wrong'
  return scheme.timestamp === null ? undefined : timeFault(timestampOf(scheme, presented), rules)
}

function timeFault(timestamp: string, { nowMs, toleranceMs }: ProofRules): ProofFault | undefined {
  if (!timestampPattern.test(timestamp)) return 'timestamp_missing'
  const aheadMs = Number(timestamp) * 1_000 - nowMs
  if (aheadMs < -toleranceMs) return 'too_late'
  return aheadMs > toleranceMs ? 'too_early' : undefined
}

function credentialsFault(
  scheme: Exclude<Scheme, HmacScheme>,
  { headers }: Presented,
  secrets: readonly string[],
): ProofFault | undefined {
  const isBasic = scheme.kind === 'basic'
  const header = headers.get(isBasic ? 'authorization' : scheme.header) ?? ''
  const given = isBasic ? header.replace(/^basic +/i, '') : header
  const expected = secrets.map((secret) => (isBasic ? Buffer.from(secret).toString('base64') : secret))
  const fits = isOneEqual(expected, [given])
  if (header === '') return 'credentials_missing'
  return fits && (!isBasic || given !== header) ? undefined : 'credentials_wrong'
}

function signedParts(scheme: HmacScheme, { headers, body }: Presented): Array<string | Uint8Array> {
  const values: Record<string, () => string | Uint8Array> = {
    '{body}': () => body,
    '{timestamp}': () => timestampOf(scheme, { headers, body }),
    '{id}': () => (scheme.signedId === null ? '' : (headers.get(scheme.signedId) ?? '')),
  }
  return scheme.signed.split(/(\{(?:body|timestamp|id)\})/).map((part) => values[part]?.() ?? part)
}

function timestampOf({ timestamp, header, separator }: HmacScheme, { headers }: Presented): string {
  if (timestamp === null) return ''
  if ('header' in timestamp) return headers.get(timestamp.header) ?? ''
  const parts = (headers.get(header) ?? '').split(separator ?? ',')
  return parts.find((part) => part.startsWith(timestamp.prefix))?.slice(timestamp.prefix.length) ?? ''
}

function keyOf({ secret: form }: HmacScheme, secret: string): Buffer {
  return form === 'whsec' ? Buffer.from(secret.replace(/^whsec_/, ''), 'base64') : Buffer.from(secret)
}

/** Goes on after a hit. The only place where what is presented is compared with what is secret. */
function isOneEqual(expected: readonly string[], given: readonly string[]): boolean {
  let hits = 0
  for (const one of expected) for (const other of given) hits += isEqual(Buffer.from(one), Buffer.from(other))
  return hits > 0
}

/** As texts, so that no other writing of the same bytes passes. */
function isEqual(expected: Buffer, given: Buffer): 0 | 1 {
  const isSameLength = expected.length === given.length
  const isSame = timingSafeEqual(expected, isSameLength ? given : expected)
  return isSame && isSameLength ? 1 : 0
}
