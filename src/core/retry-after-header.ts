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
  const ms = httpDateMs(given) - httpDateMs(date?.trim() ?? '')
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

const time = String.raw`(?<time>\d\d:\d\d:\d\d)`
const month = '(?<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
const shortDay = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const longDay = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)'
/** The forms of a date in HTTP (RFC 9110 §5.6.7): today's, and the two of former times. */
const forms = [
  String.raw`${shortDay}, (?<day>\d\d) ${month} (?<year>\d{4}) ${time} GMT`,
  String.raw`${longDay}, (?<day>\d\d)-${month}-(?<year>\d\d) ${time} GMT`,
  String.raw`${shortDay} ${month} (?<day>[ \d]\d) ${time} (?<year>\d{4})`,
].map((form) => new RegExp(`^${form}$`))

/** NaN for what has none of these forms: Date.parse takes many a word for a date, and one without a zone for that of a place. */
function httpDateMs(text: string): number {
  const found = forms.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined)
  const { day, month: name, year, time: at } = found ?? {}
  if (day === undefined || year === undefined) return Number.NaN
  return Date.parse(`${day.trim().padStart(2, '0')} ${name} ${fullYear(year)} ${at} GMT`)
}

/** Of two digits, as it was written from the seventies on. */
function fullYear(year: string): string {
  if (year.length === 4) return year
  return `${Number(year) < 70 ? 20 : 19}${year}`
}
