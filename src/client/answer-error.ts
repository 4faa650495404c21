// Owns how an answer that is none becomes an error: by the code of its problem details, else by its status.
import type { Problem } from '../api/problem.ts'
import { catalogue, type ErrorCode, MillraceError } from '../core/errors.ts'
import { retryAfterMs } from '../core/retry-after-header.ts'

/** The error that an answer tells of: its code, and in fields its status, its correlation id, and when to try again. */
export async function errorOf(response: Response, url: string): Promise<MillraceError> {
  const told = await problemOf(response)
  const seconds = retrySeconds(response.headers)
  const more = {
    status: response.status,
    ...(seconds === undefined ? {} : { retry_after_seconds: seconds }),
  }
  if (told === undefined) return unexplained(response.status, url, more)
  const { code, detail, title, hint, fields, correlation_id } = told
  const message = detail ?? title
  return new MillraceError(knownCode(code), message, {
    hint,
    fields: { ...fields, ...more, correlation_id, ...(code in catalogue ? {} : { server_code: code }) },
  })
}

const problemBytesMax = 100_000

async function problemOf(response: Response): Promise<Problem | undefined> {
  if (!/^application\/problem\+json\b/.test(response.headers.get('content-type') ?? '')) {
    await response.body?.cancel()
    return undefined
  }
  const text = (await response.text()).slice(0, problemBytesMax)
  try {
    const told = JSON.parse(text) as Problem
    return typeof told?.code === 'string' && typeof told.title === 'string' ? told : undefined
  } catch {
    return undefined
  }
}

/** A server that is newer than this client may know codes that it doesn't. */
function knownCode(code: string): ErrorCode {
  return Object.hasOwn(catalogue, code) ? (code as ErrorCode) : 'server_failed'
}

// What stands before a server, a proxy for one, answers without problem details.
function unexplained(status: number, url: string, fields: object): MillraceError {
  const code: ErrorCode =
    status === 401
      ? 'not_signed_in'
      : status === 429
        ? 'too_many_requests'
        : status === 502 || status === 503 || status === 504
          ? 'server_unavailable'
          : status >= 500
            ? 'server_failed'
            : 'answer_invalid'
  const { origin } = new URL(url)
  const message =
    status === 0 || (status >= 300 && status < 400)
      ? `${origin} sends on to another address, to which no key is shown: give that one instead.`
      : `${origin} answered ${status} without saying why.`
  return new MillraceError(code, message, { fields: { ...fields } })
}

/** Retry-After in seconds, however it was given. */
export function retrySeconds(headers: Headers): number | undefined {
  const ms = retryAfterMs({ retryAfter: headers.get('retry-after'), date: headers.get('date') })
  return ms === undefined ? undefined : ms / 1_000
}
