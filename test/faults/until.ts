// Waiting for what another process brings about: looks again and again until it holds, and says what did not come in time.
import { setTimeout as pause } from 'node:timers/promises'

const lookEveryMs = 25

/** Answers with the first value that `look` gives and that is neither false, null nor undefined. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 20_000,
): Promise<Exclude<Awaited<T>, false | null | undefined>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const seen = await look()
    if (seen !== false && seen !== null && seen !== undefined)
      return seen as Exclude<Awaited<T>, false | null | undefined>
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`)
    await pause(lookEveryMs)
  }
}
