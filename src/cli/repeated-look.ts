// Owns a look that is taken again and again, one at a time: where it takes long, the next one comes later, and none waits behind it.

/** Looks every so many milliseconds, until the answered function is called; that one resolves with the look that is under way. `look` does not fail. */
export function lookEvery(everyMs: number, look: () => Promise<void>): () => Promise<void> {
  let underWay: Promise<void> | undefined
  const timer = setInterval(() => {
    underWay ??= look().finally(() => {
      underWay = undefined
    })
  }, everyMs)
  return async () => {
    clearInterval(timer)
    await underWay
  }
}
