// Owns encrypting anew: what lies under an older key, batch by batch, is opened and written back under the first one.
import { type Cipher, isEnvelope } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import { keysVariable } from '../core/key-ring.ts'
import { RunCipher } from '../core/run-cipher.ts'
import type { Caller } from '../db/call.ts'
import {
  readSealed,
  readSealedSecrets,
  type Resealed,
  runEncryption,
  type SealedRow,
  writeSealed,
  writeSealedSecrets,
} from '../db/sealed.ts'
import { reencryptDeliveries } from './sealed-deliveries.ts'
import { resealSecret } from './secrets.ts'

export interface ReencryptedPayloads {
  /** The key that everything of ended runs is encrypted with now. */
  readonly key: string
  /** How many values were written anew. */
  readonly values: number
  readonly secrets: number
  /** Values that could not be opened, so that they stay as they are: the id of the run or delivery, the place, and why. */
  readonly left: ReadonlyArray<{ readonly run: string; readonly place: string; readonly reason: string }>
}

export const leftMax = 1_000

/** @throws MillraceError encryption_key_missing where there is no ring at all */
export async function reencrypt(
  caller: Caller,
  cipher: Cipher | undefined,
  { runsPerBatch = 100 }: { readonly runsPerBatch?: number },
): Promise<ReencryptedPayloads> {
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
  const leave = (run: string, place: string, reason: string): void => {
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
  return { key, values: written, secrets: await reencryptSecrets(caller, cipher), left, next: null }
}

async function reencryptSecrets(caller: Caller, cipher: Cipher): Promise<number> {
  let secrets = 0
  for (;;) {
    const rows = await readSealedSecrets(caller, cipher.ring.first.id)
    const resealed = rows.map((row) => ({ row, value: resealSecret(cipher, row) }))
    if (rows.length === 0) return secrets
    const written = await writeSealedSecrets(caller, resealed)
    secrets += written
    // Another one may be at the same work.
    if (written === 0) return secrets
  }
}

async function resealAll(
  caller: Caller,
  cipher: Cipher,
  rows: readonly SealedRow[],
  leave: (run: string, place: string, reason: string) => void,
): Promise<Resealed[]> {
  const sealed = rows.filter(({ place }) => place !== null)
  const called = sealed.flatMap(({ value }) => calledRun(value) ?? [])
  const runIds = [...new Set([...sealed.map(({ run_id }) => run_id), ...called])]
  if (runIds.length === 0) return []
  const known = await runEncryption(caller, runIds)
  const lastSteps = new Map(known.map((row) => [row.run_id, row.last_steps]))
  const anew: Resealed[] = []
  for (const row of sealed) {
    try {
      const value = resealed(cipher, new RunCipher(cipher, row.run_id), row, lastSteps)
      if (JSON.stringify(value) !== JSON.stringify(row.value)) anew.push({ row, value })
    } catch (error) {
      leave(row.run_id, row.place ?? '', (error as Error).message)
    }
  }
  return anew
}

function resealed(
  cipher: Cipher,
  run: RunCipher,
  { run_id, place, step, item, name, value }: SealedRow,
  lastSteps: ReadonlyMap<string, readonly string[]>,
): unknown {
  const at = { step: step ?? '', item: item ?? -1 }
  switch (place) {
    case 'run.input':
      return run.resealInput(value)
    case 'run.output':
      return run.sealRunOutput(lastSteps.get(run_id) ?? [], value)
    case 'attempt.output':
      return run.resealOutput(at.step, at.item, value)
    case 'attempt.error':
      return run.resealError(at.step, at.item, value)
    case 'run.error':
    case 'run.outcome_error':
    case 'dead_letter.error':
      return run.resealError(...placeOfError(value), value)
    case 'checkpoint.value':
      return isEnvelope(value)
        ? run.resealCheckpoint(at.step, at.item, name ?? '', value)
        : resealedCall(cipher, value, lastSteps)
    case 'checkpoint.error':
      return run.resealKeptError(at.step, at.item, name ?? '', value)
    case 'stream_part.value':
      return run.reseal('stream', at.step, at.item, value)
    case 'event.detail':
      return resealedLog(run, at, value)
    default:
      return value
  }
}

function placeOfError(error: unknown): [string, number] {
  const { step = '', item = -1 } = error as { step?: string; item?: number }
  return [step, item]
}

/** The result of a call holds what its run gave, encrypted for that run. */
function resealedCall(
  cipher: Cipher,
  value: unknown,
  lastSteps: ReadonlyMap<string, readonly string[]>,
): unknown {
  const runId = calledRun(value)
  if (runId === undefined) return value
  const child = new RunCipher(cipher, runId)
  const { output, error, ...rest } = value as { output?: unknown; error?: unknown }
  return {
    ...rest,
    ...(output !== undefined && { output: child.sealRunOutput(lastSteps.get(runId) ?? [], output) }),
    ...(error !== undefined && { error: child.resealError(...placeOfError(error ?? {}), error) }),
  }
}

function resealedLog(
  run: RunCipher,
  { step, item }: { step: string; item: number },
  value: unknown,
): unknown {
  const { fields, ...rest } = value as { fields?: unknown }
  return isEnvelope(fields) ? { ...rest, fields: run.reseal('log', step, item, fields) } : value
}

function calledRun(value: unknown): string | undefined {
  const { run } = (typeof value === 'object' && value !== null ? value : {}) as { run?: unknown }
  return typeof run === 'string' ? run : undefined
}
