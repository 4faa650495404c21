// Owns how the first admin begins: by a link that is printed where the server was started, and nowhere else.
import type { Caller } from '../../db/call.ts'
import { offerFirstAdmin } from '../../db/people.ts'
import { linkAddress, linkLifetimes, newLink } from './link.ts'

export interface FirstAdminOptions {
  /** Whoever may act as an admin. */
  readonly caller: Caller
  readonly random: (bytes: number) => Uint8Array
  /** Under which people reach the server. */
  readonly url: string
}

/** A link that works once and for an hour, in the place of the one before; undefined where there is an admin who can sign in. */
export async function firstAdminLink({
  caller,
  random,
  url,
}: FirstAdminOptions): Promise<{ readonly link: string; readonly expiresAt: Date } | undefined> {
  const { token, write } = newLink(random, linkLifetimes.firstAdmin)
  const expiresAt = await offerFirstAdmin(caller, write)
  return expiresAt === undefined ? undefined : { link: linkAddress(url, token), expiresAt }
}
