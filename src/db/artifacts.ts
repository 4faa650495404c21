// The SQL functions of artifacts: written chunk by chunk by attempts that hold their task, and read by whoever may read the run.
import type { Caller } from './call.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'

/** One writing of an artifact. */
export interface Upload extends HeldRow {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly store: string
  readonly location: string
}

/**
 * Begins to write; answers how many bytes it may have, or null where the attempt no longer holds its task.
 *
 * @throws MillraceError artifact_name_taken, artifacts_too_many, not_encryptable
 */
export async function openUpload(caller: Caller, worker: WorkerKey, upload: Upload): Promise<number | null> {
  const { taskId, stepId, attempt, id, name, type, store, location } = upload
  const rows = await caller.call<{ bytes: number | null }>(
    {
      name: 'millrace_open_upload',
      text: 'select millrace.open_upload($1, $2, $3, $4, $5, $6::uuid, $7, $8, $9, $10) as bytes',
    },
    [worker.workerId, worker.lockKey, taskId, stepId, attempt, id, name, type, store, location],
  )
  return rows[0]!.bytes
}

/** Stores the chunk at a position; false where the attempt no longer holds its task. @throws MillraceError artifact_too_large, artifacts_too_many */
export async function writeChunk(
  caller: Caller,
  worker: WorkerKey,
  { taskId, stepId, attempt, id }: Upload,
  position: number,
  bytes: Buffer,
): Promise<boolean> {
  const rows = await caller.call<{ kept: boolean }>(
    {
      name: 'millrace_write_chunk',
      text: 'select millrace.write_chunk($1, $2, $3, $4, $5, $6::uuid, $7, $8::bytea) as kept',
    },
    [worker.workerId, worker.lockKey, taskId, stepId, attempt, id, position, bytes],
  )
  return rows[0]!.kept
}

/**
 * Makes it visible; false where the attempt no longer holds its task.
 *
 * @throws MillraceError artifact_name_taken, artifact_too_large, artifacts_too_many, artifact_incomplete
 */
export async function finishUpload(
  caller: Caller,
  worker: WorkerKey,
  { taskId, stepId, attempt, id }: Upload,
  { size, sha256 }: { readonly size: number; readonly sha256: Buffer },
): Promise<boolean> {
  const rows = await caller.call<{ kept: boolean }>(
    {
      name: 'millrace_finish_upload',
      text: 'select millrace.finish_upload($1, $2, $3, $4, $5, $6::uuid, $7, $8::bytea) as kept',
    },
    [worker.workerId, worker.lockKey, taskId, stepId, attempt, id, size, sha256],
  )
  return rows[0]!.kept
}

/** Leaves what was written so far to housekeeping. */
export async function leaveUpload(caller: Caller, worker: WorkerKey, { id }: Upload): Promise<void> {
  await caller.call({ name: 'millrace_leave_upload', text: 'select millrace.leave_upload($1, $2::uuid)' }, [
    worker.workerId,
    id,
  ])
}

export interface ArtifactRow {
  readonly run_id: string
  readonly name: string
  readonly id: string
  readonly step: string
  readonly item: number | null
  readonly attempt: number
  readonly type: string
  readonly size: number
  /** In hex. */
  readonly sha256: string
  readonly store: string
  readonly location: string
  readonly created_at: Date
}

/** The artifacts of a run, or the one of a name. With a reader, a run in whose name it is read, only where that has the same tenant. */
export function listArtifacts(
  caller: Caller,
  runId: string,
  { name, reader }: { readonly name?: string; readonly reader?: string } = {},
): Promise<ArtifactRow[]> {
  return caller.call<ArtifactRow>(
    {
      name: 'millrace_list_artifacts',
      text: `select a.run_id, a.name, a.id, a.step, nullif(a.item, -1) as item, a.attempt, a.type, a.size, encode(a.sha256, 'hex') as sha256,
          a.store, a.location, a.created_at
        from millrace.artifact a
       where a.run_id = $1 and ($2::text is null or a.name = $2)
         and ($3::uuid is null or $3 = $1 or (select r.tenant from millrace.run r where r.id = $3)
               is not distinct from (select r.tenant from millrace.run r where r.id = $1))
       order by a.created_at, a.name`,
    },
    [runId, name ?? null, reader ?? null],
  )
}

/** One chunk of an artifact; undefined where there is none at the position. */
export async function readChunk(
  caller: Caller,
  { run_id, id }: Pick<ArtifactRow, 'run_id' | 'id'>,
  position: number,
): Promise<Buffer | undefined> {
  const rows = await caller.call<{ bytes: Buffer }>(
    {
      name: 'millrace_read_chunk',
      text: 'select c.bytes from millrace.artifact_chunk c where c.run_id = $1 and c.artifact_id = $2 and c.position = $3',
    },
    [run_id, id, position],
  )
  return rows[0]?.bytes
}

/** Removes a batch of bytes that no artifact shows; answers whether there may be more. */
export async function pruneUploads(caller: Caller, chunks: number): Promise<boolean> {
  const rows = await caller.call<{ more: boolean }>(
    { name: 'millrace_prune_uploads', text: 'select millrace.prune_uploads($1) as more' },
    [chunks],
  )
  return rows[0]!.more
}

export interface LeftUploadRow {
  readonly id: string
  readonly location: string
}

/** What was left behind in a store, and not touched since a moment, but for some. */
export function listLeftUploads(
  caller: Caller,
  {
    store,
    before,
    but,
    limit,
  }: {
    readonly store: string
    readonly before: Date
    readonly but: readonly string[]
    readonly limit: number
  },
): Promise<LeftUploadRow[]> {
  return caller.call<LeftUploadRow>(
    {
      name: 'millrace_list_left_uploads',
      text: `select u.id, u.location from millrace.artifact_upload u
        where u.store = $1 and u.is_left and u.touched_at < $3 and u.id <> all ($4::uuid[])
        order by u.touched_at limit $2`,
    },
    [store, limit, before, but],
  )
}

/** Forgets what was removed from its store. */
export async function forgetUploads(caller: Caller, ids: readonly string[]): Promise<void> {
  await caller.call({ name: 'millrace_forget_uploads', text: 'select millrace.forget_uploads($1::uuid[])' }, [
    ids,
  ])
}
