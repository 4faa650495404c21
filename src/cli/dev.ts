// millrace dev: a database, a migrated schema and a worker that reloads with the code, in one command.
import path from 'node:path'
import { Command } from 'commander'
import { migrate } from '../db/migrate.ts'
import { describeDatabase } from '../db/connection.ts'
import type { Config } from '../sdk/config.ts'
import { isWebhook } from '../sdk/webhook.ts'
import type { ChosenDatabase } from './database-choice.ts'
import { watchCode } from './dev-files.ts'
import { followEnds } from './dev-runs.ts'
import { DevWorker } from './dev-worker.ts'
import type { CurrentSession, Session } from './session.ts'
import { type StopRequests, stopRequests } from './stop-requests.ts'

export function devCommand(current: CurrentSession): Command {
  return new Command('dev')
    .description(
      'start a database if none is configured, migrate it, serve the API on this machine, and run a worker that reloads with the code',
    )
    .action(() => develop(current()))
}

async function develop(session: Session): Promise<void> {
  const stopped = stopRequests()
  const { file, config } = await session.needConfig()
  const log = (text: string): void => session.terminal.printLines(text)
  const database = await session.chooseDatabase({ mayCreate: true, log })
  try {
    if (database.source !== 'embedded') log(`Uses ${describeDatabase(database.url)}`)
    await migrate({ connectionString: database.url, log })
    await runUntilStopped(session, { file, config }, database, stopped)
  } finally {
    await database.release()
    // Not before: a signal that nobody hears would end this process with its PostgreSQL still up.
    stopped.close()
  }
  log('Stopped.')
}

async function runUntilStopped(
  session: Session,
  { file, config }: { readonly file: string; readonly config: Config },
  database: ChosenDatabase,
  stopped: StopRequests,
): Promise<void> {
  const { startDevServer } = await import('./configured-server.ts')
  const server = await startDevServer(session, config, database)
  session.terminal.print(
    `Serves the API on ${server.address}, its operations on ${server.address}/reference: whoever is on this machine is signed in by itself, as an admin.`,
  )
  if (config.triggers?.some(isWebhook))
    session.terminal.print('Takes no webhooks; in another terminal: npx millrace webhook listen')
  const worker = new DevWorker({ config: file, database: database.url, terminal: session.terminal })
  const follower = await followEnds(database.url, (line) => session.terminal.print(line))
  const watcher = watchCode(path.dirname(file), (changed) => void worker.changed(changed))
  try {
    await worker.start()
    await stopped.first
    session.terminal.print('Stopping: running steps are finished first; once more to give them back at once.')
    void stopped.second.then(() => worker.force())
    await worker.stop()
  } finally {
    await server.close()
    await watcher.close()
    await follower.close()
  }
}
