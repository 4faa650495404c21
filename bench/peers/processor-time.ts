// How much processor time a result speaks of: for each task or run, and of the whole machine.
import { median } from '../measure.ts'
import type { KeptRow } from './kept.ts'
import type { Costs, Result } from './result.ts'

/** Costs by which something may be reckoned: of rows from before it was kept what they were measured with, drains hold what putting in cost as well. */
export function costsOf({ measuredWith }: KeptRow, { costs }: Result): Costs | undefined {
  return measuredWith === undefined ? undefined : costs
}

/** How many processors were at work at the median, client and server together; of rows in so many a second. */
export function processorsAtWork({ unit }: KeptRow, { values }: Result, costs: Costs): number | undefined {
  if (!unit.endsWith('/s') || values.length === 0) return undefined
  return (median(values) / 1_000) * (costs.clientCpuMs + costs.serverCpuMs)
}
