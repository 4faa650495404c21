// Owns what is answered to a change that was decided on an older revision: the state that there is now, so that whoever asked can decide anew.
import { MillraceError } from '../core/errors.ts'
import type { ServerRoom } from './room.ts'

/**
 * Does the work; where it is refused as stale, the error carries what `read` gives as its field `present`: read outside of the transaction in which it
 * was refused, since that can read nothing any more.
 */
export async function withPresent<T>(
  room: ServerRoom,
  work: () => Promise<T>,
  read: (room: ServerRoom) => Promise<unknown>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'revision_conflict') throw error
    throw new MillraceError(error.code, error.message, {
      fields: { ...error.fields, present: (await read({ ...room, reads: room.committed })) ?? null },
      hint: error.hint,
      cause: error,
    })
  }
}
