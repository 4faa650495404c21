// Owns what the header Retry-After of an answer means.

/**
 * In how many milliseconds an answer asks to be tried again, which has no bound here: seconds, or a date (RFC 9110 §10.2.3), counted by the clock of
 * the server that wrote it. Undefined where it says nothing of the kind.
 */
export function retryAfterMs({
  retryAfter,
  date,
}: {
  readonly retryAfter: string | null | undefined
  readonly date: string | null | undefined
}): number | undefined {
  const given = retryAfter?.trim() ?? ''
  if (/^\d+$/.test(given)) return Math.min(Number(given) * 1_000, Number.MAX_SAFE_INTEGER)
  // Without a letter it is no date that anybody sends, and Date.parse takes -5 for one of 2001.
  if (!/[a-z]/i.test(given)) return undefined
  const ms = Date.parse(given) - Date.parse(date ?? '')
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
