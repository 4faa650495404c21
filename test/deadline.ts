// Waiting for what comes about by itself or by another process, with a deadline that fails the test and says what never came.
import { setTimeout as pause } from 'node:timers/promises'

const lookEveryMs = 10

/**
 * Looks again and again, and answers with the first value that is neither false, null nor undefined. What a test waits for is the
 * condition, never a time.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 30_000,
): Promise<Exclude<Awaited<T>, false | null | undefined>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const seen = await look()
    if (seen !== false && seen !== null && seen !== undefined)
      return seen as Exclude<Awaited<T>, false | null | undefined>
    if (performance.now() > deadline) throw new Error(`Within ${withinMs} ms it did not come that ${what}.`)
    await pause(lookEveryMs)
  }
}
