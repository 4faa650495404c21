// Owns what is taken out of a value before it leaves the house: what stands under a name that credentials have.
import { formatPath, type JsonPath } from './json.ts'
import { masked, secretNames } from './masked-headers.ts'

export interface MaskedValue {
  readonly value: unknown
  /** Where something was taken out. */
  readonly paths: readonly string[]
  /** Which of the paths that were named there is something at, if only null. */
  readonly met: ReadonlySet<string>
}

/**
 * The same value with each text, number and truth value masked that stands under such a name, or below one; and at the paths that are named besides.
 *
 * @param also paths as people write them: customer.email
 */
export function maskedValue(value: unknown, also: readonly string[] = []): MaskedValue {
  const paths: string[] = []
  const met = new Set<string>()
  const walk = (value: unknown, path: JsonPath, isSecret: boolean): unknown => {
    const place = formatPath(path)
    if (also.includes(place)) met.add(place)
    const hidden = isSecret || met.has(place)
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index], hidden))
    if (typeof value === 'object' && value !== null) {
      const fields = Object.entries(value).map(
        ([name, field]) => [name, walk(field, [...path, name], hidden || isSecretName(name))] as const,
      )
      return Object.fromEntries(fields)
    }
    if (!hidden || value === null) return value
    paths.push(place)
    return masked
  }
  return { value: walk(value, [], false), paths, met }
}

/** apiKey, api_key and API-KEY alike. */
export function isSecretName(name: string): boolean {
  return secretNames.test(
    name
      .replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '-')
      .replaceAll('_', '-')
      .toLowerCase(),
  )
}
