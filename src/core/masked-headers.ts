// Owns what is kept of the headers of a request: none that lets its reader act in the sender's place.
import { storableText } from './short-text.ts'

export const masked = '[masked]'
const headersMax = 64
const valueMax = 1_000
/** Of headers and of fields of values, in small letters. A key is a credential by what it opens: others are names, such as an idempotency-key, or a sort-key. */
export const secretNames =
  /auth(?!ors?(?:-|$))|cookie|signature|token|secret|passw|passphrase|pwd|credential|(?:api|access|admin|deploy|(?:de|en)cryption|functions?|licen[cs]e|master|shared|signing|ssh|subscription|webhook)-?key|session|csrf|hmac|jwt|assertion|private|bearer/

/** Header by header, names in small letters. What holds a credential or a signature is masked; so is what `alsoMasked` names. */
export function keptHeaders(
  headers: Iterable<readonly [string, string]>,
  alsoMasked: readonly string[] = [],
): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [given, value] of [...headers].slice(0, headersMax)) {
    const name = given.toLowerCase().slice(0, 200)
    const isMasked = secretNames.test(name) || alsoMasked.includes(name)
    kept[name] = isMasked ? masked : storableText(value, valueMax)
  }
  return kept
}
