// Owns where an account repeats the input: it tells how that differs from the input of the run before, by paths and values.
import type { RunAccount } from '../../core/account-data.ts'
import { formatPath } from '../../core/json.ts'
import { isSecretName } from '../../core/masked-values.ts'

interface Difference {
  /** Its path in the input, name by name. */
  readonly path: readonly string[]
  /** Where the bundle has its values. */
  readonly values: readonly [before: string, after: string]
}

/** Where the bundle repeats what stands at this path of it, such as input.customer.email. */
export function repeatedPlaces(account: RunAccount, path: string): string[] {
  return differencesOf(account).flatMap((difference) => {
    const place = formatPath(['input', ...difference.path])
    if (place === path || isBelow(place, path)) return difference.values
    return isBelow(path, place) ? difference.values.map((value) => value + path.slice(place.length)) : []
  })
}

/** Where the bundle repeats what stands in the input under, or below, a name that credentials have. */
export function repeatedSecrets(account: RunAccount): string[] {
  return differencesOf(account).flatMap(({ path, values }) => (path.some(isSecretName) ? values : []))
}

function differencesOf({ lineage }: RunAccount): Difference[] {
  return (lineage.of?.difference ?? []).map(({ path }, index) => {
    const place = `account.lineage.of.difference[${index}]`
    return { path, values: [`${place}.before`, `${place}.after`] }
  })
}

function isBelow(path: string, above: string): boolean {
  return path.startsWith(above) && /[.[]/.test(path[above.length] ?? '')
}
