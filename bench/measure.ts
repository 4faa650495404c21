// How things are measured: medians, quantiles, work in flight, and floor and ours by turns.
import { endTurn } from './turn.ts'

/** The middle one of an odd number, the upper middle one of an even number. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which this share of all lies, as the floors reckon it. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  if (value === undefined) throw new Error('There is nothing to take a quantile of.')
  return value
}

/** Does `total` pieces of work, `width` of them at any moment. */
export async function inFlight(
  width: number,
  total: number,
  one: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < total) await one(next++)
  }
  await Promise.all(Array.from({ length: width }, lane))
}

/** One after the other, with what each gave. */
export async function inSequence<T>(count: number, one: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let done = 0; done < count; done++) results.push(await one())
  return results
}

/** How many a second, when `count` pieces of work are done by `work`. */
export async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  return count / ((await millisecondsOf(work)) / 1_000)
}

export async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

export interface Turns<Floor, Ours> {
  readonly floor: Floor[]
  readonly ours: Ours[]
}

/**
 * Measures floor and ours by turns, so that whatever else the machine does meets both. The first turn of each warms up
 * caches and plans and is left out.
 */
export async function takeTurns<Floor, Ours>(
  rounds: number,
  floor: () => Promise<Floor>,
  ours: () => Promise<Ours>,
): Promise<Turns<Floor, Ours>> {
  const turns: Turns<Floor, Ours> = { floor: [], ours: [] }
  for (let round = 0; round <= rounds; round++) {
    const below = await floor()
    const above = await ours()
    await endTurn()
    if (round === 0) continue
    turns.floor.push(below)
    turns.ours.push(above)
  }
  return turns
}

/** The same without a floor: for figures that are bounded by a number. */
export async function repeat<T>(rounds: number, work: () => Promise<T>): Promise<T[]> {
  return (await takeTurns(rounds, () => Promise.resolve(), work)).ours
}

/** Milliseconds of a clock that all processes of one machine share. */
export function sharedClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
