// Owns what is done with the audit trail: read it, export it, reckon its chain anew in the database or from an export alone, prune what was exported.
import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import {
  type AuditFault,
  auditGuards,
  type AuditGuards,
  exportAuditTrail,
  pruneAuditTrail,
  type SealedEntry,
  sealAuditTrail,
  verifyAuditTrail,
} from '../db/audit-trail.ts'
import type { Caller } from '../db/call.ts'

const batch = 1_000
const faultsMax = 20

/** Up to where a chain goes, and the hash that stands there: who keeps it can tell later whether anything before it was changed. */
export interface ChainEnd {
  /** 0 for a chain without an entry. */
  readonly position: number
  /** 64 hexadecimal digits. */
  readonly hash: string
}

export interface VerifiedTrail {
  readonly end: ChainEnd
  /** At most twenty. */
  readonly faults: readonly AuditFault[]
  readonly guards: AuditGuards
}

/** Before the first entry. */
export const chainStart: ChainEnd = { position: 0, hash: '0'.repeat(64) }

/** Seals what has been committed by now. Of a trail to which others add without a pause, not for ever. */
export async function sealAll(caller: Caller): Promise<void> {
  for (let turns = 0; turns < 1_000 && (await sealAuditTrail(caller, batch)) === batch; turns++);
}

/**
 * The trail as lines of JSON, each with its position and its hash, which is SHA-256 of the hash before it, a line feed, and the entry as it stands there.
 *
 * @param after the position that the last export ended with
 */
export async function* exportLines(caller: Caller, after: number): AsyncGenerator<string> {
  await sealAll(caller)
  for (let position = after; ; ) {
    const entries = await exportAuditTrail(caller, position, batch)
    for (const entry of entries) yield lineOf(entry)
    const last = entries.at(-1)
    // Only nothing is the end: whoever answers with fewer than were asked for may have more.
    if (last === undefined) return
    position = last.position
  }
}

/** With the entry as it was hashed. */
export function lineOf({ position, hash, entry }: SealedEntry): string {
  return `{"position":${position},"hash":"${hash}","entry":${entry}}\n`
}

/** The entry of a line without its end; undefined where it is none of an export. JSON leaves ends of line of other kinds as they are. */
export function entryOf(line: string): SealedEntry | undefined {
  const read = /^\{"position":([1-9]\d{0,14}),"hash":"([0-9a-f]{64})","entry":(\{.*\})\}$/s.exec(line)
  const [, position, hash, entry] = read ?? []
  if (position === undefined || hash === undefined || entry === undefined) return undefined
  return { position: Number(position), hash, entry }
}

/**
 * Reckons the whole chain anew, in bounded statements.
 *
 * @param known an end of an earlier export or check: a chain that was written anew from the start does not hold it
 */
export async function verifyTrail(caller: Caller, known?: ChainEnd): Promise<VerifiedTrail> {
  await sealAll(caller)
  const faults: AuditFault[] = []
  let end: ChainEnd | undefined
  for (;;) {
    const answer = await verifyAuditTrail(caller, end?.position ?? null, batch)
    faults.push(...answer.faults)
    end = { position: answer.through, hash: answer.hash }
    if (!answer.more || faults.length >= faultsMax) break
  }
  if (known !== undefined && !(await holds(caller, known)))
    faults.push({ fault: 'changed', position: known.position })
  return { end, faults: faults.slice(0, faultsMax), guards: await auditGuards(caller) }
}

/** Whether the chain has this hash at this position. @throws MillraceError argument_invalid where it was pruned since */
async function holds(caller: Caller, known: ChainEnd): Promise<boolean> {
  const { through, hash } = await verifyAuditTrail(caller, known.position, 0)
  if (through === known.position) return hash === known.hash
  throw new MillraceError(
    'argument_invalid',
    `Position ${known.position} was exported and pruned: there is nothing left to compare it with before position ${through}.`,
    { fields: { position: known.position, through }, hint: 'Verify by the end of a later export.' },
  )
}

/**
 * Reckons the lines of an export anew, without any database; gives its end.
 *
 * @param from the end of the export before it, where it was not begun at the beginning
 * @throws MillraceError audit_trail_broken
 */
export async function verifyLines(lines: AsyncIterable<string>, from?: ChainEnd): Promise<ChainEnd> {
  let end = from
  for await (const line of lines) {
    if (line === '') continue
    const read = entryOf(line)
    if (read === undefined)
      throw broken(`The line after position ${end?.position ?? 0} is none of an export.`, end)
    const { position: at, hash, entry } = read
    // The first line of an export that begins in the middle can be checked by the one before it alone.
    const before = end ?? (at === 1 ? chainStart : undefined)
    if (before !== undefined) {
      if (at !== before.position + 1)
        throw broken(`After position ${before.position} comes ${at}: what lies between is missing.`, before)
      if (hash !== createHash('sha256').update(`${before.hash}\n${entry}`).digest('hex'))
        throw broken(
          `The entry at position ${at} does not fit its hash: it was changed, or is another one.`,
          before,
        )
    }
    end = { position: at, hash }
  }
  if (end === undefined) throw broken('There is no entry in this file.', end)
  return end
}

function broken(problem: string, end: ChainEnd | undefined): MillraceError {
  return new MillraceError('audit_trail_broken', problem, { fields: { after: end?.position ?? 0 } })
}

export interface PrunedTrail {
  readonly removed: number
  /** Up to where the trail is gone: what is younger than 90 days stays. */
  readonly through: number
}

/** Removes what an export holds, batch by batch. @throws MillraceError audit_export_unknown */
export async function pruneTrail(caller: Caller, end: ChainEnd): Promise<PrunedTrail> {
  await sealAll(caller)
  let removed = 0
  for (;;) {
    const answer = await pruneAuditTrail(caller, end, batch)
    removed += answer.removed
    if (!answer.more) return { removed, through: answer.through }
  }
}
