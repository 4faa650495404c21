// Owns the frame of what serves until it is told to stop: its requests to stop, and the database that it chose.
import type { ChosenDatabase } from './database-choice.ts'
import type { Session } from './session.ts'
import { type StopRequests, stopRequests } from './stop-requests.ts'

/** Serves over the chosen database; whatever comes of it, an embedded one is let go. */
export async function untilStopped(
  session: Session,
  serve: (database: ChosenDatabase, stopped: StopRequests) => Promise<void>,
): Promise<void> {
  const stopped = stopRequests()
  try {
    const database = await session.chooseDatabase()
    try {
      await serve(database, stopped)
    } finally {
      await database.release()
    }
  } finally {
    stopped.close()
  }
}
