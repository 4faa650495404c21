// Owns how a credential is shown in a header (RFC 6750): Authorization: Bearer, once.
import { MillraceError } from '../core/errors.ts'

/** Longer than any key or token. */
const charactersMax = 4_096

/** What follows Bearer; undefined where a request shows nothing of the kind. @throws MillraceError not_signed_in for what can't be one */
export function bearerOf(request: Request): string | undefined {
  const header = request.headers.get('authorization')
  if (header === null || !/^bearer\b/i.test(header)) return undefined
  const shown = /^bearer ([\x21-\x2b\x2d-\x7e]+)$/i.exec(header.slice(0, charactersMax + 1))?.[1]
  if (shown === undefined || header.length > charactersMax) throw refused()
  return shown
}

/** One answer to whatever is wrong with a credential: unknown, expired, revoked, or of another one's making. */
export function refused(): MillraceError {
  return new MillraceError('not_signed_in', 'This credential is not taken.', {
    hint: 'Send a key that is neither expired nor revoked, as: Authorization: Bearer KEY.',
  })
}
