// The signed request to an endpoint, and what its answer means: done, refused, to be tried again, or done later by a token.
import { createHash, createHmac } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { checkJson, jsonBytesMax, type JsonLimits, parseJsonText } from '../core/json.ts'
import { retryAfterMs } from '../core/retry-after-header.ts'
import { secretNames } from '../core/masked-headers.ts'
import { Redactor } from '../core/redaction.ts'
import type { HttpRequest } from '../sdk/durable.ts'

/** Who asks: sent along with the request. */
export interface HttpAsker {
  readonly runId: string
  readonly pipeline: string
  readonly step: string
  readonly item: number
  readonly attempt: number
  readonly idempotencyKey: string
}

export type HttpAnswer =
  /** The body as JSON text. */
  { readonly kind: 'done'; readonly value: string } | { readonly kind: 'later' }

const laterStatus = 202
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429])
const bodyShown = 300
/** A shorter value of a header stands in many a text by chance; where its name tells of a secret, it is as long as a secret must be. */
const hiddenLengthMin = { ofAny: 8, ofSecret: 4 }
const unsendable = /[^\t\u0020-\u007e\u0080-\u00ff]/
/** Before what proves who asks, in a header. */
const proofKinds = /^(?:basic|bearer|token)$/i
/** A day: what an endpoint may ask for before it is tried again. */
const retryAfterMsMax = 86_400_000

const retryDelays = new WeakMap<object, number>()

/** How long an endpoint asked not to be tried again, in milliseconds; undefined for any other error. */
export function retryDelayOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null ? retryDelays.get(error) : undefined
}

/** The secret of the environment variable. @throws MillraceError config_variable_missing */
export function secretOf(variable: string, environment: NodeJS.ProcessEnv): string {
  const secret = environment[variable]
  if (secret !== undefined && secret !== '') return secret
  throw new MillraceError(
    'config_variable_missing',
    `The environment variable ${variable}, which holds the secret of an endpoint, is not set.`,
    { fields: { variable } },
  )
}

/** The token with which an endpoint completes a request later: the same for each attempt, and nobody's guess. */
export function completionToken(secret: string, idempotencyKey: string): string {
  return createHmac('sha256', secret).update(`millrace completion ${idempotencyKey}`).digest('base64url')
}

export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** The signature of a body: what an endpoint computes as well, and compares. */
export function signatureOf(secret: string, timestamp: number, body: string): string {
  return `t=${timestamp},v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`
}

/**
 * Posts the request once.
 *
 * @throws MillraceError http_failed, http_refused, step_option_invalid, json_invalid, json_too_large
 */
export async function postRequest(
  request: HttpRequest,
  asker: HttpAsker,
  options: {
    readonly secret: string
    readonly token: string
    readonly nowMs: number
    readonly abort: AbortSignal
    readonly timeoutMs: number
  },
): Promise<HttpAnswer> {
  const where = whereTo(request.url)
  const body = checkJson(request.body ?? null, { what: `the body of the request to ${where}` })
  const given = headersOf(request, asker, options, body)
  const headers = sentHeaders(given, where)
  let redactor: Redactor | undefined
  const redact = (text: string) => (redactor ??= redactorOf(request, options.secret, given)).redact(text)
  const tooLong = AbortSignal.timeout(Math.min(options.timeoutMs, 2_147_483_647))
  try {
    const response = await fetch(request.url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([options.abort, tooLong]),
      headers,
      body,
    })
    return await answerOf(where, response, redact)
  } catch (error) {
    if (error instanceof MillraceError || options.abort.aborted) throw error
    const reason = tooLong.aborted
      ? `gave no answer within ${options.timeoutMs} ms`
      : `could not be reached: ${redact(reasonOf(error))}`
    throw new MillraceError('http_failed', `The endpoint ${where} ${reason}.`, {
      fields: { url: where },
      cause: error,
    })
  }
}

function headersOf(
  { headers = {} }: HttpRequest,
  asker: HttpAsker,
  { secret, token, nowMs }: { readonly secret: string; readonly token: string; readonly nowMs: number },
  body: string,
): Record<string, string> {
  return {
    // From JavaScript a value may be a number.
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    'content-type': 'application/json',
    'idempotency-key': asker.idempotencyKey,
    'millrace-run': asker.runId,
    'millrace-pipeline': asker.pipeline,
    'millrace-step': asker.step,
    ...(asker.item < 0 ? {} : { 'millrace-item': String(asker.item) }),
    'millrace-attempt': String(asker.attempt),
    'millrace-token': token,
    'millrace-signature': signatureOf(secret, Math.floor(nowMs / 1_000), body),
  }
}

/** Of what can't be sent, fetch would quote the value. @throws MillraceError step_option_invalid */
function sentHeaders(given: Readonly<Record<string, string>>, where: string): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) {
    if (!isAppended(headers, name, value)) {
      const named = /^[\w-]+$/.test(name) ? `The header '${name}'` : 'A header'
      throw new MillraceError(
        'step_option_invalid',
        `${named} of the request to ${where} holds a character that no header may hold: leave it out, or encode it.`,
        { fields: { url: where, option: 'headers' } },
      )
    }
  }
  return headers
}

/** What Headers takes still has characters that fetch refuses. */
function isAppended(headers: Headers, name: string, value: string): boolean {
  try {
    headers.append(name, value)
    return !unsendable.test(headers.get(name) ?? '')
  } catch {
    return false
  }
}

/**
 * An endpoint may say in its answer what it was sent. Of that the secret, the token and the signature are not kept, nor the values of other headers and
 * of the parameters of the address, except for short ones.
 */
function redactorOf(
  { url, headers: own = {}, secret: variable }: HttpRequest,
  secret: string,
  headers: Readonly<Record<string, string>>,
): Redactor {
  const redactor = new Redactor()
  redactor.add(variable, secret)
  for (const name of [...Object.keys(own), 'millrace-token', 'millrace-signature'])
    for (const part of hiddenParts(name, headers[name] ?? '')) redactor.add(name, part)
  for (const [name, value] of new URL(url).searchParams)
    for (const part of hiddenParts(name, value)) redactor.add(name, part)
  return redactor
}

/** The value, and what it is made of: of `Bearer …` the second word is the secret, of `t=…,v1=…` the last. */
function hiddenParts(name: string, value: string): string[] {
  const isSecret = /key/i.test(name) || secretNames.test(name.toLowerCase())
  const lengthMin = isSecret ? hiddenLengthMin.ofSecret : hiddenLengthMin.ofAny
  const parts = [value.trim(), ...value.split(/[\s,;=]+/), ...decodedParts(value)]
  return parts.filter((part) => part.length >= lengthMin && !proofKinds.test(part))
}

/** The name with the password, and the password, of a header of basic authentication. */
function decodedParts(value: string): string[] {
  const [, encoded] = /^\s*basic\s+(\S+)/i.exec(value) ?? []
  if (encoded === undefined) return []
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  return [pair, pair.slice(pair.indexOf(':') + 1)]
}

async function answerOf(
  where: string,
  response: Response,
  redact: (text: string) => string,
): Promise<HttpAnswer> {
  if (response.status === laterStatus) {
    await response.body?.cancel()
    return { kind: 'later' }
  }
  const text = await bodyOf(response, where)
  if (response.ok)
    return { kind: 'done', value: jsonOf(response, text, { what: `the answer of ${where}`, redact }) }
  const mayPass = passingStatuses.has(response.status) || response.status >= 500
  const said = text.trim() === '' ? '' : `: ${redact(text).trim().slice(0, bodyShown)}`
  const error = new MillraceError(
    mayPass ? 'http_failed' : 'http_refused',
    `The endpoint ${where} answered with status ${response.status}${said}`,
    { fields: { url: where, status: response.status } },
  )
  const { headers } = response
  const delayMs = retryAfterMs({ retryAfter: headers.get('retry-after'), date: headers.get('date') })
  // Of no time at all, the retry policy knows better.
  if (mayPass && delayMs !== undefined && delayMs > 0)
    retryDelays.set(error, Math.min(delayMs, retryAfterMsMax))
  throw error
}

/** Read to its bound only: an endpoint may send without end. */
async function bodyOf(response: Response, where: string): Promise<string> {
  if (response.body === null) return ''
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > jsonBytesMax) {
      throw new MillraceError(
        'json_too_large',
        `The answer of ${where} is larger than ${jsonBytesMax} bytes.`,
        { fields: { bytes, limit: jsonBytesMax } },
      )
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** What is no JSON is a text; nothing is null. */
function jsonOf(response: Response, text: string, limits: JsonLimits): string {
  if (text === '') return 'null'
  const isJson = /^application\/(?:[\w.+-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '')
  return checkJson(isJson ? parseJsonText(text, limits) : text, limits)
}

/** Without what may hold a secret. */
function whereTo(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { message?: string; code?: string }; message?: string }
  return cause?.message || cause?.code || message || 'no reason was given'
}
