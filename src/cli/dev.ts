// millrace dev: a database, a migrated schema and a worker that reloads with the code, in one command.
import path from 'node:path'
import { Command } from 'commander'
import { migrate } from '../db/migrate.ts'
import { describeDatabase } from '../db/connection.ts'
import type { ChosenDatabase } from './database-choice.ts'
import { watchCode } from './dev-files.ts'
import { followEnds } from './dev-runs.ts'
import { DevWorker } from './dev-worker.ts'
import type { CurrentSession, Session } from './session.ts'

export function devCommand(current: CurrentSession): Command {
  return new Command('dev')
    .description(
      'start a database if none is configured, migrate it, and run a worker that reloads with the code',
    )
    .action(() => develop(current()))
}

async function develop(session: Session): Promise<void> {
  const stopped = stopRequests()
  const { file } = await session.needConfig()
  const log = (line: string): void => session.terminal.print(line)
  const database = await session.chooseDatabase({ mayCreate: true, log })
  try {
    if (database.source !== 'embedded') log(`Uses ${describeDatabase(database.url)}`)
    await migrate({ connectionString: database.url, log })
    await runUntilStopped(session, file, database, stopped)
  } finally {
    stopped.close()
    await database.release()
  }
  log('Stopped.')
}

async function runUntilStopped(
  session: Session,
  config: string,
  database: ChosenDatabase,
  stopped: StopRequests,
): Promise<void> {
  const worker = new DevWorker({ config, database: database.url, terminal: session.terminal })
  const follower = await followEnds(database.url, (line) => session.terminal.print(line))
  const watcher = watchCode(path.dirname(config), (file) => void worker.changed(file))
  try {
    await worker.start()
    await stopped.first
    session.terminal.print('Stopping: running steps are finished first; once more to give them back at once.')
    void stopped.second.then(() => worker.force())
    await worker.stop()
  } finally {
    await watcher.close()
    await follower.close()
  }
}

interface StopRequests {
  readonly first: Promise<void>
  readonly second: Promise<void>
  close(): void
}

function stopRequests(): StopRequests {
  const resolvers: (() => void)[] = []
  const nextRequest = (): Promise<void> => new Promise((resolve) => resolvers.push(resolve))
  const [first, second] = [nextRequest(), nextRequest()]
  const onSignal = (): void => resolvers.shift()?.()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return { first, second, close: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal) }
}
