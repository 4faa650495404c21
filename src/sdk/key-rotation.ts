// Owns encrypting anew: what lies under an older key, batch by batch, is opened and written back under the first one.
import type { Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import { keysVariable } from '../core/key-ring.ts'
import type { Caller } from '../db/call.ts'
import {
  readSealed,
  readSealedSecrets,
  type Resealed,
  runEncryption,
  type SealedRow,
  type SealedSecretRow,
  writeSealed,
  writeSealedSecrets,
} from '../db/sealed.ts'
import { reencryptDeliveries } from './sealed-deliveries.ts'
import { calledRuns, hasOtherKey, SealedPlaces } from './sealed-places.ts'
import { resealSecret } from './secrets.ts'

export interface ReencryptedPayloads {
  /** The key that everything of ended runs is encrypted with now. */
  readonly key: string
  /** How many values were written anew. */
  readonly values: number
  readonly secrets: number
  /** Values that could not be opened, so that they stay as they are: the id of the run or delivery, or the secret's name, the place, and why. */
  readonly left: ReadonlyArray<{ readonly run: string; readonly place: string; readonly reason: string }>
}

export const leftMax = 1_000

const runsPerBatchMax = 10_000

/** @throws MillraceError encryption_key_missing where there is no ring at all, argument_invalid */
export async function reencrypt(
  caller: Caller,
  cipher: Cipher | undefined,
  { runsPerBatch = 100 }: { readonly runsPerBatch?: number },
): Promise<ReencryptedPayloads> {
  // A batch of none would tell that nothing is left.
  if (!Number.isInteger(runsPerBatch) || runsPerBatch < 1 || runsPerBatch > runsPerBatchMax)
    throw new MillraceError('argument_invalid', `A batch has from 1 to 10,000 runs, not ${runsPerBatch}.`, {
      fields: { runsPerBatch },
    })
  const left: Array<ReencryptedPayloads['left'][number]> = []
  let values = 0
  for (let after: string | null = null; ; ) {
    const batch: ReencryptedBatch = await reencryptBatch(caller, cipher, { runsPerBatch, after })
    values += batch.values
    left.push(...batch.left.slice(0, leftMax - left.length))
    if (batch.next === null) return { key: batch.key, values, secrets: batch.secrets, left }
    after = batch.next
  }
}

export interface ReencryptedBatch extends ReencryptedPayloads {
  /** Where the next batch begins: behind a run, or `deliveries:` and a delivery; null where all was looked at. */
  readonly next: string | null
}

/** What a place behind a delivery begins with. */
const deliveriesMark = 'deliveries:'

/** A batch of runs; behind the last of them, batches of deliveries; behind those, the secrets. @throws MillraceError encryption_key_missing */
export async function reencryptBatch(
  caller: Caller,
  cipher: Cipher | undefined,
  { runsPerBatch, after }: { readonly runsPerBatch: number; readonly after: string | null },
): Promise<ReencryptedBatch> {
  if (cipher === undefined) {
    throw new MillraceError(
      'encryption_key_missing',
      `There is no key to encrypt with: neither encryptionKeys nor ${keysVariable} gives one.`,
    )
  }
  const key = cipher.ring.first.id
  const left: { run: string; place: string; reason: string }[] = []
  const leave: Leave = (run, place, reason) => {
    if (left.length < leftMax) left.push({ run, place, reason })
  }
  const inDeliveries = after?.startsWith(deliveriesMark) === true
  const rows: SealedRow[] = inDeliveries ? [] : await readSealed(caller, key, after, runsPerBatch)
  const looked = rows.find(({ place }) => place === null)
  if (looked !== undefined) {
    const resealed = await resealAll(caller, cipher, rows, leave)
    const written = resealed.length > 0 ? await writeSealed(caller, resealed) : 0
    return { key, values: written, secrets: 0, left, next: looked.run_id }
  }
  const behind = inDeliveries ? after.slice(deliveriesMark.length) : null
  const { written, last } = await reencryptDeliveries(caller, cipher, behind, (delivery, reason) =>
    leave(delivery, 'delivery.body', reason),
  )
  if (last !== null) return { key, values: written, secrets: 0, left, next: `${deliveriesMark}${last}` }
  const secrets = await reencryptSecrets(caller, cipher, leave)
  return { key, values: written, secrets, left, next: null }
}

type Leave = (of: string, place: string, reason: string) => void

/** A hundred at a time, past those that can't be opened: a former version whose key is lost keeps no other one under an old key. */
async function reencryptSecrets(caller: Caller, cipher: Cipher, leave: Leave): Promise<number> {
  let secrets = 0
  for (let after: SealedSecretRow | undefined; ; ) {
    const rows: SealedSecretRow[] = await readSealedSecrets(caller, cipher.ring.first.id, after)
    if (rows.length === 0) return secrets
    const resealed = rows.flatMap((row) => {
      try {
        return [{ row, value: resealSecret(cipher, row) }]
      } catch (error) {
        leave(row.name, `secret.version ${row.version}`, (error as Error).message)
        return []
      }
    })
    if (resealed.length > 0) secrets += await writeSealedSecrets(caller, resealed)
    after = rows.at(-1)
  }
}

const unknownReason = 'Something in it is encrypted with another key, and it is not known for what.'

async function resealAll(
  caller: Caller,
  cipher: Cipher,
  rows: readonly SealedRow[],
  leave: Leave,
): Promise<Resealed[]> {
  const sealed = rows.filter(({ place }) => place !== null)
  const runIds = [...new Set(sealed.flatMap(({ run_id, value }) => [run_id, ...calledRuns(value)]))]
  if (runIds.length === 0) return []
  const known = await runEncryption(caller, runIds)
  const places = new SealedPlaces(cipher, new Map(known.map((row) => [row.run_id, row.last_steps])))
  const anew: Resealed[] = []
  for (const row of sealed) {
    try {
      const value = places.reseal(row)
      if (JSON.stringify(value) !== JSON.stringify(row.value)) anew.push({ row, value })
      if (hasOtherKey(value, cipher.ring.first.id)) leave(row.run_id, row.place ?? '', unknownReason)
    } catch (error) {
      leave(row.run_id, row.place ?? '', (error as Error).message)
    }
  }
  return anew
}
