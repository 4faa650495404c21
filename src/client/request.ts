// Owns how a call becomes a request: its address, its headers, its body.
import { MillraceError } from '../core/errors.ts'
import type { AnyCall } from './call.ts'
import type { ClientRoute } from './routes.ts'

/** What fetch takes, so that the same request can be sent again. */
export interface Sendable {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** @throws MillraceError argument_invalid */
export function sendableOf(
  { base, headers }: { readonly base: URL; readonly headers: Readonly<Record<string, string>> },
  route: ClientRoute,
  call: AnyCall,
): Sendable {
  const { ifRevision, idempotencyKey, lastEventId, body } = call
  if (ifRevision !== undefined && !route.isRevised)
    throw new MillraceError('argument_invalid', `${route.name} takes no revision: leave out ifRevision.`)
  if (idempotencyKey !== undefined) checkHeader('idempotencyKey', idempotencyKey)
  if (lastEventId !== undefined) checkHeader('lastEventId', lastEventId)
  return {
    url: addressOf(base, route, call),
    method: route.method.toUpperCase(),
    headers: {
      accept: route.media ?? 'application/json',
      ...headers,
      ...(route.hasBody ? { 'content-type': 'application/json' } : {}),
      ...(ifRevision === undefined ? {} : { 'if-match': `"${ifRevision}"` }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    },
    ...(route.hasBody ? { body: JSON.stringify(body ?? {}) } : {}),
  }
}

// What a platform refuses to send would look like a server that can't be reached.
function checkHeader(option: 'idempotencyKey' | 'lastEventId', value: string): void {
  if (/^[\x20-\x7e]{1,255}$/.test(value)) return
  throw new MillraceError(
    'argument_invalid',
    `${option} is not valid: it has 1 to 255 characters of printable ASCII.`,
    {
      fields: { option },
    },
  )
}

function addressOf(base: URL, { name, path }: ClientRoute, { params = {}, query = {} }: AnyCall): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, part: string) => segment(name, part, params[part]))
  const url = new URL(base.href.replace(/\/+$/, '') + filled)
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== null) url.searchParams.append(key, textOf(value))
  return url.href
}

// A dot or two would be taken for a step in the path, and lead to another address than the one that is meant.
function segment(operation: string, part: string, value: unknown): string {
  const text = textOf(value)
  if (text !== '' && text !== '.' && text !== '..') return encodeURIComponent(text)
  throw new MillraceError('argument_invalid', `${operation} needs a ${part}, and '${text}' can be none.`, {
    fields: { part },
  })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
