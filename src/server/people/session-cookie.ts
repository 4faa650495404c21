// Owns the cookies of people's sessions: their names, and the reading of what came back.
import { createHmac, timingSafeEqual } from 'node:crypto'

export interface CookieNames {
  readonly session: string
  readonly state: string
  /** Only sent over TLS; __Host- then keeps neighbours under the same domain from setting one (RFC 6265bis §4.1.3.2). */
  readonly secure: boolean
}

export function cookieNames(url: string): CookieNames {
  const secure = new URL(url).protocol === 'https:'
  const prefix = secure ? '__Host-' : ''
  return { session: `${prefix}millrace_session`, state: `${prefix}millrace_sign_in`, secure }
}

/** The token of a session cookie that this server signed; undefined for none, for two, and for any other. */
export function sessionToken(request: Request, { session }: CookieNames, secret: string): string | undefined {
  const values = (request.headers.get('cookie') ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${session}=`))
    .map((pair) => pair.slice(session.length + 1))
  const value = values.length === 1 ? decoded(values[0]!) : undefined
  const end = value?.lastIndexOf('.') ?? -1
  if (value === undefined || end < 1) return undefined
  const token = value.slice(0, end)
  const signature = Buffer.from(value.slice(end + 1))
  const expected = Buffer.from(createHmac('sha256', secret).update(token).digest('base64'))
  return signature.length === expected.length && timingSafeEqual(signature, expected) ? token : undefined
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Makes a browser forget the session. */
export function forgottenCookie({ session, secure }: CookieNames): string {
  return `${session}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
}
