// Owns random bytes for ids: asked of the system a page at a time, because each question costs more than an id.
import { randomFillSync } from 'node:crypto'

const pageBytes = 4_096

/** A source of random bytes for ids, which are no secrets. Nothing is given twice; what is given is the caller's own. */
export function createRandomBytes(): (bytes: number) => Uint8Array {
  const page = new Uint8Array(pageBytes)
  let at = pageBytes
  return (bytes) => {
    if (bytes > pageBytes) return randomFillSync(new Uint8Array(bytes))
    if (at + bytes > pageBytes) {
      randomFillSync(page)
      at = 0
    }
    at += bytes
    return page.slice(at - bytes, at)
  }
}
