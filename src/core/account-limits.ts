// The story of which limit an attempt waited for before it began, and since when.
import type { AccountAttempt, AccountEvent, RunAccount } from './account-data.ts'
import { msBetween, oneLine } from './wording.ts'

/** Whether an entry of the history says that a task had to wait for a limit: it is told with the attempt. */
export function isLimitWait({ kind }: AccountEvent): boolean {
  return kind === 'limit.waited'
}

/** How long an attempt waited before it began; of a rate, longer than since the time that it was given. */
export function waitedMs(account: RunAccount, attempt: AccountAttempt): number {
  const stopped = limitWait(account, attempt)
  const waited = msBetween(attempt.ready_at, attempt.started_at)
  return stopped === undefined ? waited : Math.max(waited, msBetween(stopped.at, attempt.started_at))
}

/** ' for limit 'geocoder' of 'acme'', or nothing. */
export function limitWords(account: RunAccount, attempt: AccountAttempt): string {
  const stopped = limitWait(account, attempt)
  if (stopped === undefined) return ''
  const [limit, key] = [stopped.detail['limit'], stopped.detail['key']].map((text) => oneLine(String(text)))
  return ` for limit '${limit}'${key === '' ? '' : ` of '${key}'`}`
}

function limitWait(
  { events }: RunAccount,
  { step, item, attempt }: AccountAttempt,
): AccountEvent | undefined {
  return events.listed.find(
    (event) => isLimitWait(event) && event.step === step && event.item === item && event.attempt === attempt,
  )
}
