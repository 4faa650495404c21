// What workers clear away now and then, in bounded batches: of the cache, of locks, of deliveries, and bytes that no artifact shows.
import { forgetUploads, listLeftUploads, pruneUploads } from '../db/artifacts.ts'
import { pruneRequests } from '../db/answered-requests.ts'
import { pruneCache } from '../db/cache.ts'
import type { Caller } from '../db/call.ts'
import { readClock } from '../db/diagnosis.ts'
import { pruneDeliveries } from '../db/deliveries.ts'
import { pruneLocks } from '../db/locks.ts'
import type { ArtifactStore } from '../sdk/artifact-store.ts'

const rowsPerBatch = 1_000
const chunksPerBatch = 64
const objectsPerBatch = 100
/** Somebody may still be reading what was replaced. */
const untouchedMs = 600_000

/** Goes on for as long as there is more, and it is told to. */
export async function clearAway(
  caller: Caller,
  store: ArtifactStore | undefined,
  goesOn: () => boolean,
): Promise<void> {
  while (goesOn() && (await pruneCache(caller, rowsPerBatch)));
  while (goesOn() && (await pruneLocks(caller, rowsPerBatch)));
  while (goesOn() && (await pruneUploads(caller, chunksPerBatch)));
  while (goesOn() && (await pruneDeliveries(caller, rowsPerBatch)));
  while (goesOn() && (await pruneRequests(caller, rowsPerBatch)));
  while (goesOn() && store !== undefined && (await clearStore(caller, store)));
}

/** Removed there first: what is forgotten here is really gone. Two workers that remove the same do no harm. */
async function clearStore(caller: Caller, store: ArtifactStore): Promise<boolean> {
  const before = new Date((await readClock(caller)).getTime() - untouchedMs)
  const left = await listLeftUploads(caller, { store: store.name, before, limit: objectsPerBatch })
  for (const { location } of left) await store.remove(location)
  if (left.length > 0)
    await forgetUploads(
      caller,
      left.map(({ id }) => id),
    )
  return left.length === objectsPerBatch
}
