// The SQL functions of secrets: written by admins, found by workers, each read on record; never a value in the clear.
import type { Caller } from './call.ts'
import type { ListBounds } from './list-bounds.ts'
import type { WorkerKey } from './tasks.ts'
import { retryTransaction } from './transaction.ts'

export type SecretSource = 'table' | 'environment' | 'aws'

export interface SecretRow {
  readonly name: string
  readonly source: SecretSource
  /** The environment variable, or the id in AWS Secrets Manager. */
  readonly reference: string | null
  readonly version: number
  readonly max_age_seconds: number | null
  readonly changed_at: Date
  readonly is_overdue: boolean
  readonly last_read_at: Date | null
  readonly last_read_run: string | null
  readonly last_read_step: string | null
}

export function listSecrets(
  caller: Caller,
  { after, limit }: Pick<ListBounds, 'after' | 'limit'> = {},
): Promise<SecretRow[]> {
  return caller.call<SecretRow>(
    {
      name: 'millrace_list_secrets',
      text: `select name, source, reference, version, max_age_seconds::float8 as max_age_seconds, changed_at, is_overdue, last_read_at,
        last_read_run, last_read_step from millrace.list_secrets() where $1::text is null or name > $1 order by name limit $2`,
    },
    [after ?? null, limit ?? null],
  )
}

export interface SecretWrite {
  readonly name: string
  readonly source: SecretSource
  readonly reference: string | null
  /** The one that comes next. */
  readonly version: number
  /** An envelope, as JSON text. */
  readonly value: string | null
  readonly maxAgeSeconds: number | null
  /** How long webhooks take the former version beside it; null for not at all. */
  readonly overlapSeconds: number | null
}

/** Of a name, a version and seconds. */
const overlapping = 'millrace.overlap_secret'

/** Written together with the overlap of the former version, or neither. Answers since when it is so. @throws MillraceError secret_changed, argument_invalid */
export async function writeSecret(caller: Caller, secret: SecretWrite): Promise<Date> {
  const { name, source, reference, version, value, maxAgeSeconds, overlapSeconds } = secret
  const rows = await caller.call<{ at: Date }>(
    {
      name: 'millrace_write_secret',
      text: `with written as materialized (select millrace.write_secret($1, $2, $3, $4::int, $5::jsonb, $6::bigint) as at)
             select w.at, case when $7::int is not null then ${overlapping}($1, $4::int - 1, $7::int) end as overlaps from written w`,
    },
    [name, source, reference, version, value, maxAgeSeconds, overlapSeconds],
  )
  return rows[0]!.at
}

/** How long webhooks take this version beside the one after it. False where there is none. */
export async function overlapSecret(
  caller: Caller,
  name: string,
  version: number,
  seconds: number,
): Promise<boolean> {
  const rows = await caller.call<{ found: boolean }>(
    { name: 'millrace_overlap_secret', text: `select ${overlapping}($1, $2, $3) as found` },
    [name, version, seconds],
  )
  return rows[0]!.found
}

/** Holds the secret for the rest of the transaction, where nobody has changed it since. @throws MillraceError revision_conflict */
export async function refuseSecretVersion(caller: Caller, name: string, seen: number): Promise<void> {
  await caller.call(
    { name: 'millrace_refuse_secret_version', text: 'select millrace.refuse_secret_version($1, $2)' },
    [name, seen],
  )
}

/** True where there was one. */
export async function removeSecret(caller: Caller, name: string): Promise<boolean> {
  const rows = await retryTransaction(() =>
    caller.call<{ removed: boolean }>(
      { name: 'millrace_remove_secret', text: 'select millrace.remove_secret($1) as removed' },
      [name],
    ),
  )
  return rows[0]!.removed
}

export interface FoundSecret {
  readonly source: SecretSource
  readonly reference: string | null
  readonly version: number
  /** An envelope, where the source is our own table. */
  readonly value: unknown
}

/** Where a secret lies; undefined where there is none of this name. */
export async function findSecret(caller: Caller, name: string): Promise<FoundSecret | undefined> {
  const rows = await caller.call<FoundSecret>(
    {
      name: 'millrace_find_secret',
      text: 'select source, reference, version, value from millrace.find_secret($1)',
    },
    [name],
  )
  return rows[0]
}

/** Before an attempt gets a secret; false where it no longer holds its task. */
export async function recordSecretRead(
  caller: Caller,
  worker: WorkerKey,
  task: { readonly taskId: number; readonly stepId: number; readonly attempt: number },
  secret: { readonly name: string; readonly version: string; readonly changedAt: Date | null },
): Promise<boolean> {
  const rows = await retryTransaction(() =>
    caller.call<{ holds: boolean }>(
      {
        name: 'millrace_record_secret_read',
        text: 'select millrace.record_secret_read($1, $2, $3, $4, $5, $6, $7, $8) as holds',
      },
      [
        worker.workerId,
        worker.lockKey,
        task.taskId,
        task.stepId,
        task.attempt,
        secret.name,
        secret.version,
        secret.changedAt,
      ],
    ),
  )
  return rows[0]!.holds
}
