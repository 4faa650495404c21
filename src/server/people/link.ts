// Owns links that work once: a token that only the link holds, and what the database is told of it.
import { createHash, randomUUID } from 'node:crypto'
import type { LinkWrite } from '../../db/people.ts'

/** How long somebody has to use a link, in seconds. */
export const linkLifetimes = { invitation: 7 * 86_400, reset: 86_400, firstAdmin: 3_600 } as const

export interface NewLink {
  readonly token: string
  readonly write: LinkWrite
}

export function newLink(random: (bytes: number) => Uint8Array, lifetimeSeconds: number): NewLink {
  const token = Buffer.from(random(32)).toString('base64url')
  return { token, write: { linkId: randomUUID(), tokenHash: hashToken(token), lifetimeSeconds } }
}

/** The token stands behind the #, which browsers keep to themselves: no log and no page before it sees it. */
export function linkAddress(url: string, token: string): string {
  return `${url}/auth/link#${token}`
}

/** SHA-256 in base64url: tokens are random, so that nothing slower is needed. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
