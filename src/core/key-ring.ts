// Owns the key ring: the keys by their ids, of which the first encrypts and all decrypt.
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { MillraceError } from './errors.ts'

/** Where keys come from when no option gives them: as in k2:…,k1:…, the encrypting one first. */
export const keysVariable = 'MILLRACE_ENCRYPTION_KEYS'

const keyBytes = 32
const keysMax = 20
const idPattern = /^[a-z][a-z0-9_-]{0,39}$/

export interface RingKey {
  readonly id: string
  readonly secret: KeyObject
  /** Of its own, so that no digest says anything of what the other one encrypts. */
  readonly digestSecret: KeyObject
}

export class KeyRing {
  readonly #keys: ReadonlyMap<string, RingKey>
  /** The key that encrypts. */
  readonly first: RingKey

  constructor(keys: readonly [RingKey, ...RingKey[]]) {
    this.#keys = new Map(keys.map((key) => [key.id, key]))
    this.first = keys[0]
  }

  get(id: string): RingKey | undefined {
    return this.#keys.get(id)
  }

  get all(): Iterable<RingKey> {
    return this.#keys.values()
  }

  get ids(): readonly string[] {
    return [...this.#keys.keys()]
  }
}

/**
 * The ring of these keys, each 32 bytes in base64, by their ids; undefined where there is none.
 *
 * @throws MillraceError encryption_key_invalid, which names the id and never shows the key
 */
export function createKeyRing(keys: Readonly<Record<string, string>>): KeyRing | undefined {
  const [first, ...others] = Object.entries(keys).map(([id, text]) => ringKey(id, text))
  if (first === undefined) return undefined
  if (others.length >= keysMax) throw invalid('', `${others.length + 1} keys, where ${keysMax} are the most`)
  return new KeyRing([first, ...others])
}

/** The keys that an environment variable holds. @throws MillraceError encryption_key_invalid */
export function keysOfText(text: string | undefined): Record<string, string> {
  // Without a prototype: an id that is one of its names is refused like any other that is none.
  const keys = Object.create(null) as Record<string, string>
  for (const part of (text ?? '').split(',').map((entry) => entry.trim())) {
    if (part === '') continue
    const colon = part.indexOf(':')
    if (colon < 1) throw invalid('', `an entry in ${keysVariable} that is not written as id:base64`)
    const id = part.slice(0, colon)
    if (Object.hasOwn(keys, id)) throw invalid(id, 'an id that comes twice')
    keys[id] = part.slice(colon + 1)
  }
  return keys
}

function ringKey(id: string, text: unknown): RingKey {
  if (!idPattern.test(id))
    throw invalid(id, 'an id that is not a small letter, then small letters, digits, _ and -, at most 40')
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : Buffer.alloc(0)
  // Node skips what is no base64: only what reads back alike was meant.
  const isWhole = typeof text === 'string' && bytes.toString('base64') === text.trim()
  if (!isWhole || bytes.length !== keyBytes)
    throw invalid(id, `a value that is not base64 of ${keyBytes} bytes`)
  const digest = createHmac('sha256', bytes).update('millrace digest').digest()
  return { id, secret: createSecretKey(bytes), digestSecret: createSecretKey(digest) }
}

function invalid(id: string, problem: string): MillraceError {
  const which = id === '' ? 'The key ring' : `The key '${id.slice(0, 60)}' of the key ring`
  return new MillraceError('encryption_key_invalid', `${which} has ${problem}.`, { fields: { key: id } })
}
