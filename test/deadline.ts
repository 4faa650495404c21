// Waiting for something to become true, with a deadline that fails the test and says what never came.
import { setTimeout as pause } from 'node:timers/promises'

const lookEveryMs = 10

/** Asks again and again until the answer is yes. What a test waits for is the condition, never a time. */
export async function until(what: string, condition: () => Promise<boolean>, seconds = 15): Promise<void> {
  const deadline = performance.now() + seconds * 1_000
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`Within ${seconds} s it did not become true that ${what}.`)
    await pause(lookEveryMs)
  }
}
