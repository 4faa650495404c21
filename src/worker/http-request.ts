// The signed request to an endpoint, and what its answer means: done, refused, to be tried again, or done later by a token.
import { createHash, createHmac } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { checkJson, jsonBytesMax, parseJsonText } from '../core/json.ts'
import { retryAfterMs } from '../core/retry-after-header.ts'
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
/** A shorter value of a header stands in many a text by chance. */
const hiddenLengthMin = 8
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
 * @throws MillraceError http_failed, http_refused, json_invalid, json_too_large
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
  const body = checkJson(request.body ?? null, { what: `the body of the request to ${whereTo(request.url)}` })
  const headers = headersOf(request, asker, options, body)
  const tooLong = AbortSignal.timeout(Math.min(options.timeoutMs, 2_147_483_647))
  try {
    const response = await fetch(request.url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([options.abort, tooLong]),
      headers,
      body,
    })
    return await answerOf(request, response, (text) => redacted(text, request, options.secret, headers))
  } catch (error) {
    if (error instanceof MillraceError || options.abort.aborted) throw error
    const reason = tooLong.aborted
      ? `gave no answer within ${options.timeoutMs} ms`
      : `could not be reached: ${reasonOf(error)}`
    throw new MillraceError('http_failed', `The endpoint ${whereTo(request.url)} ${reason}.`, {
      fields: { url: whereTo(request.url) },
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
    ...headers,
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

/** An endpoint may say in its answer what it was sent: nothing that proves who asks is kept of that. */
function redacted(
  text: string,
  { headers: own = {}, secret: variable }: HttpRequest,
  secret: string,
  headers: Readonly<Record<string, string>>,
): string {
  const redactor = new Redactor()
  redactor.add(variable, secret)
  for (const name of [...Object.keys(own), 'millrace-token', 'millrace-signature']) {
    const value = headers[name] ?? ''
    // Of `Bearer …` the second word is the secret, of `t=…,v1=…` the last.
    for (const part of [value, ...value.split(/[\s,;=]+/)])
      if (part.length >= hiddenLengthMin) redactor.add(name, part)
  }
  return redactor.redact(text)
}

async function answerOf(
  request: HttpRequest,
  response: Response,
  redact: (text: string) => string,
): Promise<HttpAnswer> {
  const where = whereTo(request.url)
  if (response.status === laterStatus) {
    await response.body?.cancel()
    return { kind: 'later' }
  }
  const text = await bodyOf(response, where)
  if (response.ok) return { kind: 'done', value: jsonOf(response, text, where) }
  const mayPass = passingStatuses.has(response.status) || response.status >= 500
  const said = text.trim() === '' ? '' : `: ${redact(text).trim().slice(0, bodyShown)}`
  const error = new MillraceError(
    mayPass ? 'http_failed' : 'http_refused',
    `The endpoint ${where} answered with status ${response.status}${said}`,
    { fields: { url: where, status: response.status } },
  )
  const { headers } = response
  const delayMs = retryAfterMs({ retryAfter: headers.get('retry-after'), date: headers.get('date') })
  if (mayPass && delayMs !== undefined) retryDelays.set(error, Math.min(delayMs, retryAfterMsMax))
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
function jsonOf(response: Response, text: string, where: string): string {
  const what = `the answer of ${where}`
  if (text === '') return 'null'
  const isJson = /^application\/(?:[\w.+-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '')
  return checkJson(isJson ? parseJsonText(text, { what }) : text, { what })
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
