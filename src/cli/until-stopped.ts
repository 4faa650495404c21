// Owns the frame of what serves until it is told to stop: its requests to stop, and the database that it chose.
import type { ChosenDatabase, DatabaseSources } from './database-choice.ts'
import type { Session } from './session.ts'
import { type StopRequests, stopRequests } from './stop-requests.ts'

/**
 * Serves over the chosen database; whatever comes of it, an embedded one is let go. Who asks once while it is being chosen has it let go as soon as it is up,
 * who asks twice ends the process.
 */
export async function untilStopped(
  session: Session,
  serve: (database: ChosenDatabase, stopped: StopRequests) => Promise<void>,
  choice?: Pick<DatabaseSources, 'mayCreate' | 'log'>,
): Promise<void> {
  const stopped = stopRequests()
  try {
    const database = await Promise.race([session.chooseDatabase(choice), stopped.second])
    if (database === undefined) {
      session.exitStatus = 1
      session.mustExit = true
      return
    }
    try {
      await serve(database, stopped)
    } finally {
      await database.release()
    }
  } finally {
    // Not before: a signal that nobody hears would end this process with its PostgreSQL still up.
    stopped.close()
  }
}
