// Owns the bodies of deliveries whose pipelines are encrypted: sealed before they leave the process, each for its own delivery.
import { createHash } from 'node:crypto'
import { type Cipher, isEnvelope } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import { keysVariable } from '../core/key-ring.ts'
import type { Caller } from '../db/call.ts'
import { readSealedDeliveries, type SealedDeliveryRow, writeSealedDeliveries } from '../db/deliveries.ts'

const field = 'delivery'

/** For whom a body is sealed. */
export interface SealedFor {
  readonly id: string
  readonly webhook: string
  readonly provider_id: string | null
}

/** The envelope of a body. @throws MillraceError encryption_key_missing */
export function sealBody(cipher: Cipher | undefined, of: SealedFor, body: Uint8Array): unknown {
  return JSON.parse(
    needed(cipher, of.id).seal(ownerOf(of), field, Buffer.from(body).toString('base64')),
  ) as unknown
}

/** @throws MillraceError encryption_key_missing, decryption_failed */
export function openBody(cipher: Cipher | undefined, of: SealedFor, sealed: unknown): Uint8Array {
  if (!isEnvelope(sealed))
    throw new MillraceError('decryption_failed', `The body of delivery ${of.id} is not encrypted.`, {
      fields: { field },
    })
  return Buffer.from(needed(cipher, of.id).open(ownerOf(of), field, sealed), 'base64')
}

/** What comes again under an id goes into the row of the first time, whose own id its sealer can't know: so the sender's id is what it is bound to. */
function ownerOf({ id, webhook, provider_id }: SealedFor): string {
  if (provider_id === null) return id
  return createHash('sha256').update(`${webhook} ${provider_id}`).digest('hex')
}

/**
 * Encrypts a batch behind a delivery with the first key of the ring; answers how many were written, and the last one that was looked at: null
 * where there was none.
 */
export async function reencryptDeliveries(
  caller: Caller,
  cipher: Cipher,
  after: string | null,
  leave: (id: string, reason: string) => void,
): Promise<{ readonly written: number; readonly last: string | null }> {
  const rows: SealedDeliveryRow[] = await readSealedDeliveries(caller, cipher.ring.first.id, after)
  const resealed = rows.flatMap((row) => {
    try {
      return [{ row, value: JSON.stringify(sealBody(cipher, row, openBody(cipher, row, row.sealed_body))) }]
    } catch (error) {
      leave(row.id, (error as Error).message)
      return []
    }
  })
  const written = resealed.length > 0 ? await writeSealedDeliveries(caller, resealed) : 0
  return { written, last: rows.at(-1)?.id ?? null }
}

function needed(cipher: Cipher | undefined, id: string): Cipher {
  if (cipher !== undefined) return cipher
  throw new MillraceError(
    'encryption_key_missing',
    `The body of delivery ${id} is encrypted, and no key is given: neither encryptionKeys nor ${keysVariable}.`,
  )
}
