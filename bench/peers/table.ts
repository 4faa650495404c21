// The values of a row as text: for the terminal as they come, and for the page as a table.
import { median } from '../measure.ts'
import type { Costs, Result } from './result.ts'
import type { Heading } from './heading.ts'

/** The best first; those without a value last. */
export function ranked({ better }: Pick<Heading, 'better'>, results: readonly Result[]): Result[] {
  const rank = (result: Result) => {
    if (result.values.length === 0) return Number.POSITIVE_INFINITY
    return better === 'more' ? -median(result.values) : median(result.values)
  }
  return results.toSorted((left, right) => rank(left) - rank(right))
}

export function rowText(row: Heading, results: readonly Result[]): string {
  return [`\n${row.label}, ${row.unit} (${row.better} is better)`, ...ranked(row, results).map(lineOf)].join(
    '\n',
  )
}

function lineOf({ peer, profile, values, note, cannot, costs }: Result): string {
  const name = `  ${peer}${profile === 'default' ? ', default' : ''}`.padEnd(32)
  if (values.length === 0) return `${name} cannot: ${cannot ?? 'it has no value'}`
  const cells = [`${numberText(median(values)).padStart(9)}  ${rangeText(values)}`]
  if (costs !== undefined) cells.push(costText(costs))
  if (note !== undefined) cells.push(note)
  return `${name} ${cells.join('; ')}`
}

export function rangeText(values: readonly number[]): string {
  return `${numberText(Math.min(...values))} to ${numberText(Math.max(...values))}`
}

function costText({ clientCpuMs, serverCpuMs, statements, commits, logBytes, peakBytes }: Costs): string {
  return [
    `cpu ${clientCpuMs.toFixed(3)} + ${serverCpuMs.toFixed(3)} ms`,
    ...(statements === null ? [] : [`${countText(statements)} statements`]),
    ...(commits === null ? [] : [`${countText(commits)} commits`]),
    ...(logBytes === null ? [] : [`${Math.round(logBytes)} bytes of log`]),
    `${Math.round(peakBytes / 1024 ** 2)} MB`,
  ].join(', ')
}

/** Of something that is counted for each run: a fraction where many runs share one. */
export function countText(count: number | null): string {
  if (count === null) return '–'
  return count >= 10 ? count.toFixed(0) : count >= 0.995 ? count.toFixed(1) : count.toFixed(3)
}

export function numberText(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Of processors, in the unit that has the fewest digits. */
export function timeText(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`
  return ms >= 1 ? `${ms.toFixed(1)} ms` : `${Math.round(1_000 * ms)} µs`
}
