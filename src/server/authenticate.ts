// Owns who asks: each way of showing a credential is tried in turn, and the first that knows one answers.
import type { Actor } from '../api/access.ts'
import type { Origin } from './origin.ts'

/** What a way of signing in found. */
export interface SignedIn {
  readonly actor: Actor
  /** Sent by the browser with every request, wanted or not: so a request that changes something has to show where it comes from. */
  readonly ambient: boolean
  /** Of a key: its own limit, and what is to be said of it in each answer. */
  readonly key?: KeyFacts
}

interface KeyFacts {
  readonly requestsPerHour: number | null
  readonly expiresAt: Date
  readonly warning: 'ends' | 'old' | null
}

/**
 * One way: undefined where the request shows no credential of its kind.
 *
 * @param isAgain the request is one that was let in, and its answer goes on: that is no use of what it shows
 * @throws MillraceError not_signed_in for one that is wrong, expired or revoked, without saying which
 */
export type Authenticator = (
  request: Request,
  origin: Origin,
  isAgain?: boolean,
) => Promise<SignedIn | undefined>

export async function authenticate(
  authenticators: readonly Authenticator[],
  request: Request,
  origin: Origin,
  isAgain = false,
): Promise<SignedIn | undefined> {
  for (const one of authenticators) {
    const found = await one(request, origin, isAgain)
    if (found !== undefined) return found
  }
  return undefined
}
