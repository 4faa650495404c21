// Waiting for what comes about by itself or by another process, with a deadline that fails the test and says what never came.
import { setTimeout as pause } from 'node:timers/promises'

/** At first, and after a second: who waits long looks less often, since each look is work for a machine on which others test. */
const lookMsMin = 10
const lookMsMax = 50

/**
 * Looks again and again, and answers with the first value that is neither false, null nor undefined. What a test waits for is the
 * condition, never a time.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 30_000,
): Promise<Exclude<Awaited<T>, false | null | undefined>> {
  const begun = performance.now()
  for (;;) {
    const seen = await look()
    if (seen !== false && seen !== null && seen !== undefined)
      return seen as Exclude<Awaited<T>, false | null | undefined>
    const waitedMs = performance.now() - begun
    if (waitedMs > withinMs) throw new Error(`Within ${withinMs} ms it did not come that ${what}.`)
    await pause(Math.min(lookMsMin + waitedMs / 25, lookMsMax))
  }
}
