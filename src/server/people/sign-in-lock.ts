// Owns the bound on tries to sign in: so many in a while for a person, and for a sender, whether there is such a person or not.
import { createHmac } from 'node:crypto'
import { MillraceError } from '../../core/errors.ts'
import { networkOf } from '../../core/ip-ranges.ts'
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
    person: keyOf(`person ${email}`),
    sender: address === undefined ? undefined : keyOf(`sender ${networkOf(address)}`),
  })
  return {
    begin: async (email, address) => {
      const { person, sender } = keysOf(email, address)
      const seconds = await beginSignIn(caller, sender === undefined ? [person] : [person, sender], options)
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
      const { person, sender } = keysOf(email, address)
      await clearSignIn(caller, person, sender)
    },
  }
}
