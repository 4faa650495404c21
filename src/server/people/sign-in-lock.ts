// Owns the bound on tries to sign in: so many in a while for an account, and for a sender, whether the account exists or not.
import { createHmac } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { MillraceError } from '../../core/errors.ts'
import type { Caller } from '../../db/call.ts'
import { beginSignIn, clearSignIn } from '../../db/person-sessions.ts'

export interface SignInLockOptions {
  /** Stored keys are made with it: nobody reads addresses out of them. */
  readonly secret: string
  readonly triesMax: number
  readonly windowSeconds: number
}

export interface SignInLock {
  /** Counts a try before it is made. @throws MillraceError sign_in_locked */
  begin(email: string, address: string | undefined): Promise<void>
  /** It succeeded: it no longer counts. */
  clear(email: string, address: string | undefined): Promise<void>
}

export function createSignInLock(caller: Caller, options: SignInLockOptions): SignInLock {
  const keyOf = (text: string) => createHmac('sha256', options.secret).update(text).digest('base64url')
  const keysOf = (email: string, address: string | undefined) => ({
    account: keyOf(`account ${email}`),
    sender: address === undefined ? undefined : keyOf(`sender ${networkOf(address)}`),
  })
  return {
    begin: async (email, address) => {
      const { account, sender } = keysOf(email, address)
      const seconds = await beginSignIn(caller, sender === undefined ? [account] : [account, sender], options)
      if (seconds > 0)
        throw new MillraceError(
          'sign_in_locked',
          `Too many tries to sign in failed. Try again in ${seconds} s.`,
          {
            fields: { retry_after_seconds: seconds },
          },
        )
    },
    clear: async (email, address) => {
      const { account, sender } = keysOf(email, address)
      await clearSignIn(caller, account, sender)
    },
  }
}

/** Whoever has an IPv6 address has its network of 64 bits (RFC 6177): all of it counts as one. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  return parsed.kind() === 'ipv4' ? parsed.toString() : (parsed as ipaddr.IPv6).parts.slice(0, 4).join(':')
}
