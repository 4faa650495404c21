// Owns the envelope: how one value is encrypted for one place, so that it decrypts nowhere else. AES-256-GCM with a random nonce.
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { canonicalJson } from './digest.ts'
import { MillraceError } from './errors.ts'
import type { KeyRing } from './key-ring.ts'

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16
const noncesAtOnce = 256

/** A value as it is stored where it is encrypted. */
export interface Envelope {
  readonly $encrypted: {
    /** The id of the key. */
    readonly key: string
    readonly nonce: string
    /** What was encrypted, and its tag. */
    readonly data: string
    /** Of an input: what SQL must read of it. */
    readonly clear?: unknown
    /** Of an input that may come again: its HMAC under each key of the ring, by which it is known. */
    readonly digests?: Readonly<Record<string, string>>
  }
}

/** What goes beside an encrypted input. */
export interface Beside {
  readonly clear?: unknown
  readonly digests?: Readonly<Record<string, string>>
}

export function isEnvelope(value: unknown): value is Envelope {
  if (typeof value !== 'object' || value === null) return false
  const inner: unknown = Reflect.get(value, '$encrypted')
  if (typeof inner !== 'object' || inner === null) return false
  return ['key', 'nonce', 'data'].every((name) => typeof Reflect.get(inner, name) === 'string')
}

/** Encrypts for one owner (a run, or secrets) and one field of it. */
export class Cipher {
  readonly ring: KeyRing
  readonly #random: (bytes: number) => Buffer
  #nonces: Buffer = Buffer.alloc(0)
  #used = 0

  constructor(ring: KeyRing, random: (bytes: number) => Buffer) {
    this.ring = ring
    this.#random = random
  }

  /** The envelope of a text, as JSON text. */
  seal(owner: string, field: string, text: string, beside?: Beside): string {
    const { id, secret } = this.ring.first
    const nonce = this.#nonce()
    const cipher = createCipheriv(algorithm, secret, nonce)
    cipher.setAAD(placeOf(owner, field))
    const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
    // Written by hand: ids, base64 and hex need no escape.
    const more = beside === undefined ? '' : restOf(beside)
    return `{"$encrypted":{"key":"${id}","nonce":"${nonce.toString('base64')}","data":"${data.toString('base64')}"${more}}}`
  }

  /** What was encrypted. @throws MillraceError encryption_key_missing, which names the key; decryption_failed */
  open(owner: string, field: string, { $encrypted }: Envelope): string {
    const { key: id, nonce, data } = $encrypted
    const key = this.ring.get(id)
    if (key === undefined) throw keyMissing(id, field)
    try {
      const bytes = Buffer.from(data, 'base64')
      const decipher = createDecipheriv(algorithm, key.secret, Buffer.from(nonce, 'base64'), {
        authTagLength: tagBytes,
      })
      decipher.setAAD(placeOf(owner, field))
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      return decipher.update(bytes.subarray(0, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
    } catch {
      throw new MillraceError(
        'decryption_failed',
        `The ${fieldWords(field)} can't be decrypted with key '${id}': it was changed, or belongs to another run or field.`,
        { fields: { key: id, field } },
      )
    }
  }

  /** The HMAC of a value under each key: two clear values are the same where one of these is. */
  digests(salt: string, value: unknown): Record<string, string> {
    const text = canonicalJson(value)
    const digests: Record<string, string> = {}
    for (const { id, digestSecret } of this.ring.all)
      digests[id] = createHmac('sha256', digestSecret).update(`${salt}\n${text}`).digest('hex')
    return digests
  }

  #nonce(): Buffer {
    if (this.#used + nonceBytes > this.#nonces.length) {
      this.#nonces = this.#random(nonceBytes * noncesAtOnce)
      this.#used = 0
    }
    const nonce = this.#nonces.subarray(this.#used, this.#used + nonceBytes)
    this.#used += nonceBytes
    return nonce
  }
}

/** Nobody's ring holds the key. */
export function keyMissing(id: string, field: string): MillraceError {
  return new MillraceError(
    'encryption_key_missing',
    `The ${fieldWords(field)} is encrypted with key '${id}', which is not in the key ring.`,
    { fields: { key: id, field } },
  )
}

function placeOf(owner: string, field: string): Buffer {
  return Buffer.from(`millrace ${owner} ${field}`)
}

function restOf({ clear, digests }: Beside): string {
  const first = clear === undefined ? '' : `,"clear":${JSON.stringify(clear)}`
  return digests === undefined ? first : `${first},"digests":${JSON.stringify(digests)}`
}

/** output/store/-1 is the "output of step 'store'". */
function fieldWords(field: string): string {
  const [kind = field, step, item, ...name] = field.split('/')
  if (step === undefined) return kind
  if (kind === 'secret') return `value of secret '${[step, item, ...name].slice(0, -1).join('/')}'`
  const where = item === undefined || item === '-1' ? '' : `, item ${item}`
  return `${kind} ${name.length === 0 ? '' : `'${name.join('/')}' `}of step '${step}'${where}`
}
