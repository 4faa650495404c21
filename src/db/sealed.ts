// The SQL functions of encrypted payloads: what a reader must know of a run, and the places of which each is encrypted anew with another key.
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

export interface EncryptionRow {
  readonly run_id: string
  readonly is_encrypted: boolean
  /** The steps whose outputs are those of the run. */
  readonly last_steps: readonly string[]
}

export function runEncryption(caller: Caller, runIds: readonly string[]): Promise<EncryptionRow[]> {
  return caller.call<EncryptionRow>(
    {
      name: 'millrace_run_encryption',
      text: 'select run_id, is_encrypted, last_steps from millrace.run_encryption($1::uuid[])',
    },
    [runIds],
  )
}

export interface RunInput {
  readonly slug: string
  readonly tenant: string | null
  readonly input: unknown
}

/** The input that a run has; undefined where there is no such run any more. */
export async function readRunInput(caller: Caller, runId: string): Promise<RunInput | undefined> {
  const rows = await caller.call<RunInput>(
    { name: 'millrace_read_run_input', text: 'select slug, tenant, input from millrace.run where id = $1' },
    [runId],
  )
  return rows[0]
}

/** Where something encrypted stands. */
export interface SealedRow {
  readonly run_id: string
  /** Null in the row that says how far was looked. */
  readonly place: string | null
  readonly step: string | null
  readonly item: number | null
  readonly name: string | null
  readonly number: number | null
  readonly value: unknown
}

/** What of the next ended runs is encrypted with another key than this one; none where no run is left. */
export function readSealed(
  caller: Caller,
  key: string,
  after: string | null,
  most: number,
): Promise<SealedRow[]> {
  return caller.call<SealedRow>(
    {
      name: 'millrace_read_sealed',
      text: 'select run_id, place, step, item, name, number, value from millrace.read_sealed($1, $2::uuid, $3)',
    },
    [key, after, most],
  )
}

export interface Resealed {
  readonly row: SealedRow
  readonly value: unknown
}

/** Answers how many places still held what was read, and were written. */
export async function writeSealed(caller: Caller, resealed: readonly Resealed[]): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ written: number }>(
      {
        name: 'millrace_write_sealed',
        text: `select millrace.write_sealed($1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $6::bigint[], $7::jsonb[], $8::jsonb[]) as written`,
      },
      [
        resealed.map(({ row }) => row.run_id),
        resealed.map(({ row }) => row.place),
        resealed.map(({ row }) => row.step),
        resealed.map(({ row }) => row.item),
        resealed.map(({ row }) => row.name),
        resealed.map(({ row }) => row.number),
        resealed.map(({ row }) => JSON.stringify(row.value)),
        resealed.map(({ value }) => JSON.stringify(value)),
      ],
    ),
  )
  return rows[0]!.written
}

export interface SealedSecretRow {
  readonly name: string
  readonly version: number
  readonly value: unknown
}

/** The stored values of secrets that are encrypted with another key than this one: the next hundred behind a version of one. */
export function readSealedSecrets(
  caller: Caller,
  key: string,
  after?: Pick<SealedSecretRow, 'name' | 'version'>,
): Promise<SealedSecretRow[]> {
  return caller.call<SealedSecretRow>(
    {
      name: 'millrace_read_sealed_secrets',
      text: `select s.name, s.version, s.value from millrace.read_sealed_secrets($1) s
              where $2::text is null or (s.name, s.version) > ($2::text collate "C", $3::int)
              order by s.name collate "C", s.version limit 100`,
    },
    [key, after?.name ?? null, after?.version ?? null],
  )
}

export async function writeSealedSecrets(
  caller: Caller,
  resealed: ReadonlyArray<{ readonly row: SealedSecretRow; readonly value: string }>,
): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ written: number }>(
      {
        name: 'millrace_write_sealed_secrets',
        text: 'select millrace.write_sealed_secrets($1::text[], $2::int[], $3::jsonb[], $4::jsonb[]) as written',
      },
      [
        resealed.map(({ row }) => row.name),
        resealed.map(({ row }) => row.version),
        resealed.map(({ row }) => JSON.stringify(row.value)),
        resealed.map(({ value }) => value),
      ],
    ),
  )
  return rows[0]!.written
}
