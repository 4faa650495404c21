// A sender of webhooks, as tests need one: it signs by the scheme of a provider, and can do all of it wrong.
import type { WebhookHandler } from '../src/sdk/webhook-handler.ts'
import { type HmacScheme, type schemes, schemes as known, signatureOf } from '../src/core/webhook-scheme.ts'

export interface Sent {
  readonly status: number
  readonly body: {
    readonly delivery?: string
    readonly state?: string
    readonly error?: string
    readonly challenge?: string
  }
  readonly headers: Headers
}

export interface SendOptions {
  readonly id?: string
  readonly secret: string
  readonly at?: Date
  readonly headers?: Record<string, string>
  readonly remoteAddress?: string
}

/** The headers of a delivery by Standard Webhooks. */
export function standardHeaders(
  text: string,
  { id = 'msg_1', secret, at = new Date() }: SendOptions,
): Record<string, string> {
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
  }
  const signature = signatureOf(
    known.standard,
    { headers: new Headers(headers), body: Buffer.from(text) },
    secret,
  )
  return { ...headers, 'webhook-signature': `v1,${signature}` }
}

/** The headers of another scheme that signs the body alone. */
export function bodyHeaders(
  scheme: (typeof schemes)[keyof typeof schemes] & HmacScheme,
  text: string,
  secret: string,
): Record<string, string> {
  const signature = signatureOf(scheme, { headers: new Headers(), body: Buffer.from(text) }, secret)
  return { 'content-type': 'application/json', [scheme.header]: `${scheme.prefix}${signature}` }
}

/** Sends a body to a handler by Standard Webhooks. */
export async function send(
  handler: WebhookHandler,
  name: string,
  body: unknown,
  options: SendOptions,
): Promise<Sent> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return sendRaw(
    handler,
    name,
    text,
    { ...standardHeaders(text, options), ...options.headers },
    options.remoteAddress,
  )
}

export async function sendRaw(
  handler: WebhookHandler,
  name: string,
  text: string | ReadableStream,
  headers: Record<string, string>,
  remoteAddress = '203.0.113.7',
): Promise<Sent> {
  const init = { method: 'POST', headers, body: text, duplex: 'half' } as RequestInit
  const response = await handler(new Request(`http://localhost/webhooks/${name}`, init), { remoteAddress })
  return {
    status: response.status,
    body: (await response.json()) as Sent['body'],
    headers: response.headers,
  }
}
