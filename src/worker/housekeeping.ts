// What workers clear away now and then, in bounded batches: of the cache, of locks, of deliveries, and bytes that no artifact shows.
import { forgetUploads, listLeftUploads, pruneUploads } from '../db/artifacts.ts'
import { pruneRequests } from '../db/answered-requests.ts'
import { pruneCache } from '../db/cache.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { readClock } from '../db/diagnosis.ts'
import { pruneDeliveries } from '../db/deliveries.ts'
import { pruneLocks } from '../db/locks.ts'
import type { ArtifactStore } from '../sdk/artifact-store.ts'

const rowsPerBatch = 1_000
const chunksPerBatch = 64
const objectsPerBatch = 100
/** In one round: what a store won't remove costs a call each. */
const refusedMax = 1_000
const removeMsMax = 30_000
/** Somebody may still be reading what was replaced. */
const untouchedMs = 600_000

/**
 * Goes on for as long as there is more, and it is told to.
 * @param failed is told of objects that their store does not remove; they are tried again another time
 */
export async function clearAway(
  caller: Caller,
  store: ArtifactStore | undefined,
  goesOn: () => boolean,
  failed: (error: unknown) => void,
): Promise<void> {
  while (goesOn() && (await pruneCache(caller, rowsPerBatch)));
  while (goesOn() && (await pruneLocks(caller, rowsPerBatch)));
  while (goesOn() && (await pruneUploads(caller, chunksPerBatch)));
  while (goesOn() && (await pruneDeliveries(caller, rowsPerBatch)));
  while (goesOn() && (await pruneRequests(caller, rowsPerBatch)));
  if (store === undefined) return
  // What the store refuses holds up none of those behind it.
  const refused: string[] = []
  while (goesOn() && refused.length < refusedMax && (await clearStore(caller, store, refused, failed)));
}

/** Removed there first: what is forgotten here is really gone. Two workers that remove the same do no harm. */
async function clearStore(
  caller: Caller,
  store: ArtifactStore,
  refused: string[],
  failed: (error: unknown) => void,
): Promise<boolean> {
  const before = new Date((await readClock(caller)).getTime() - untouchedMs)
  const left = await listLeftUploads(caller, {
    store: store.name,
    before,
    but: refused,
    limit: objectsPerBatch,
  })
  const removed: string[] = []
  let isSilent = false
  for (const { id, location } of left) {
    const outcome = await removeObject(store, location)
    if (outcome === 'removed') removed.push(id)
    else {
      refused.push(id)
      failed(storeFailed(store, location, outcome))
      isSilent = outcome === 'silent'
      if (isSilent) break
    }
  }
  if (removed.length > 0) await forgetUploads(caller, removed)
  return left.length === objectsPerBatch && !isSilent
}

/** Silent is a store that has not answered in time: each further object would cost that time again. */
async function removeObject(store: ArtifactStore, location: string): Promise<'removed' | 'silent' | Error> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'silent'>((resolve) => {
    timer = setTimeout(() => resolve('silent'), removeMsMax)
    timer.unref()
  })
  const removing = store.remove(location).then(
    () => 'removed' as const,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  )
  return Promise.race([removing, late]).finally(() => clearTimeout(timer))
}

function storeFailed({ name }: ArtifactStore, location: string, outcome: 'silent' | Error): MillraceError {
  const what = outcome === 'silent' ? `it has not answered for ${removeMsMax / 1_000} s` : outcome.message
  return new MillraceError(
    'artifact_store_failed',
    `The artifact store '${name}' did not remove what no artifact shows any more: ${what}`,
    { fields: { store: name, location }, ...(outcome === 'silent' ? {} : { cause: outcome }) },
  )
}
