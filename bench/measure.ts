// How things are measured: medians, quantiles, work in flight, and floor and ours by turns.
import { setTimeout as pause } from 'node:timers/promises'
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

/** The 99th of a hundred, or what it is of less than that: the most. */
export function tailText(times: readonly number[]): string {
  const tail = quantile(times, 0.99).toFixed(1)
  return times.length > 100 ? `p99 ${tail} ms` : `most of ${times.length} ${tail} ms`
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

/**
 * Calls at an even pace, however long they take; answers with the moments at which they were due, on the clock that all processes share. Who comes late to a
 * call because it is busy pays for that.
 */
export async function paced(
  { ratePerSecond, ms }: { readonly ratePerSecond: number; readonly ms: number },
  call: (n: number) => Promise<unknown>,
): Promise<number[]> {
  const count = Math.max(1, Math.floor((ms / 1_000) * ratePerSecond))
  const beganMs = sharedClockMs()
  const due = Array.from({ length: count }, (_, n) => beganMs + (n / ratePerSecond) * 1_000)
  const calls: Promise<unknown>[] = []
  while (calls.length < count) {
    while (calls.length < count && due[calls.length]! <= sharedClockMs()) calls.push(call(calls.length))
    await pause(1)
  }
  await Promise.all(calls)
  return due
}

/** Each round counts: for what is measured as it is after a start, or takes too long for a round that does not. */
export async function everyRound<T>(rounds: number, work: () => Promise<T>): Promise<T[]> {
  return inSequence(rounds, async () => {
    const result = await work()
    await endTurn()
    return result
  })
}

/** Milliseconds of a clock that all processes of one machine share. */
export function sharedClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
