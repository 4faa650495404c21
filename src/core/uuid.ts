// Owns the ids of runs: UUIDv7, whose first 48 bits are the time, so that history sorts and partitions by it.

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function isUuid(text: string): boolean {
  return pattern.test(text)
}

/** A UUIDv7 for a time in milliseconds since 1970 and at least ten random bytes. */
export function uuidV7(nowMs: number, random: Uint8Array): string {
  const time = Math.floor(nowMs).toString(16).padStart(12, '0')
  let hex = ''
  for (let index = 0; index < 10; index++) hex += hexOf[random[index]!]!
  const variant = (0x8 | (random[2]! & 0x3)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(1, 4)}-${variant}${hex.slice(5, 8)}-${hex.slice(8, 20)}`
}

// A table, and no Buffer: browsers make ids as well, and workers many.
const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * A source of run ids, each greater than the one before, also within a millisecond and when the clock steps back.
 * `random(n)` gives n random bytes.
 */
export function createRunIds(sources: {
  readonly now: () => number
  readonly random: (bytes: number) => Uint8Array
}): () => string {
  let lastMs = 0
  let counter = 0
  return () => {
    const bytes = sources.random(10).slice(0, 10)
    const nowMs = Math.floor(sources.now())
    if (nowMs > lastMs) {
      lastMs = nowMs
      // The counter's upper bit starts at 0: 2,048 ids at least before it runs over into the next millisecond.
      counter = ((bytes[0]! & 0x07) << 8) | bytes[1]!
    } else if (counter === 0xfff) {
      lastMs += 1
      counter = 0
    } else {
      counter += 1
    }
    bytes[0] = counter >> 8
    bytes[1] = counter & 0xff
    return uuidV7(lastMs, bytes)
  }
}
