// Owns callbacks as authors write them: whom to tell of the end of a run, and with which secret that is signed.
import { MillraceError } from '../core/errors.ts'
import type { CallbackEnd, CallbackRow } from '../db/callbacks.ts'
import { type AllowedTargets, checkTarget } from '../net/target.ts'

/** An address that is told of the end of a run, signed by Standard Webhooks. */
export interface CallbackOptions {
  /** https, of the public internet; what `allowTargets` names besides. */
  readonly url: string
  /** The name of the secret that signs it: `whsec_` and base64, as Standard Webhooks writes it, or any text. */
  readonly secret: string
  /** Of which ends it is told; all unless told. */
  readonly events?: readonly CallbackEnd[]
}

const callbacksMax = 10
const ends: ReadonlySet<string> = new Set<CallbackEnd>(['completed', 'failed', 'cancelled'])

/**
 * One callback or a list, checked: the address too, as far as it can be told without resolving its name.
 *
 * @throws MillraceError callback_invalid, target_refused
 */
export function callbackRows(
  what: string,
  given: CallbackOptions | readonly CallbackOptions[] | undefined,
  allow: AllowedTargets = [],
): CallbackRow[] {
  const rows = callbacksOf(what, given)
  for (const { url } of rows) checkTarget(url, allow)
  return rows
}

/** The same without a look at the address: where it is not known yet which worker calls it. @throws MillraceError callback_invalid */
export function callbacksOf(
  what: string,
  given: CallbackOptions | readonly CallbackOptions[] | undefined,
): CallbackRow[] {
  const list = given === undefined ? [] : [given].flat()
  if (list.length > callbacksMax) throw invalid(what, `more than ${callbacksMax} callbacks`)
  if (new Set(list.map((one) => one.url)).size < list.length)
    throw invalid(what, 'two callbacks to one address')
  return list.map((one) => callbackRow(what, one))
}

function callbackRow(what: string, given: CallbackOptions): CallbackRow {
  const { url, secret, events } = given
  if (typeof url !== 'string') throw invalid(what, 'a callback without a url')
  if (typeof secret !== 'string' || secret === '')
    throw invalid(what, 'a callback without the name of a secret')
  if (events === undefined) return { url, secret }
  if (!Array.isArray(events) || events.length === 0 || events.some((end) => !ends.has(end)))
    throw invalid(what, `a callback whose events are not some of ${[...ends].join(', ')}`)
  return { url, secret, events }
}

function invalid(what: string, problem: string): MillraceError {
  return new MillraceError('callback_invalid', `${what} has ${problem}.`, {
    hint: "Write it as { url: 'https://hooks.example.com/runs', secret: 'hooks/runs' }.",
  })
}
