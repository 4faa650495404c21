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
import type { StopRequests } from './stop-requests.ts'
import { untilStopped } from './until-stopped.ts'

export function devCommand(current: CurrentSession): Command {
  return new Command('dev')
    .description(
      'start a database if none is configured, migrate it, serve the API on this machine, and run a worker that reloads with the code',
    )
    .action(() => develop(current()))
}

async function develop(session: Session): Promise<void> {
  const configured = await session.needConfig()
  const log = (text: string): void => session.terminal.printLines(text)
  const develops = async (database: ChosenDatabase, stopped: StopRequests): Promise<void> => {
    if (database.source !== 'embedded') log(`Uses ${describeDatabase(database.url)}`)
    const migrated = await Promise.race([migrate({ connectionString: database.url, log }), stopped.first])
    if (migrated !== undefined) return runUntilStopped(session, configured, database, stopped)
    // It may wait for another migrator for as long as that one takes, and one that is cut off leaves nothing behind.
    session.mustExit = true
  }
  await untilStopped(session, develops, { mayCreate: true, log })
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
  try {
    await runWorker(session, file, database.url, stopped)
  } finally {
    await server.close()
  }
}

async function runWorker(
  { terminal }: Session,
  config: string,
  database: string,
  stopped: StopRequests,
): Promise<void> {
  const follower = await followEnds(database, (line) => terminal.print(line))
  const watcher = watchCode(path.dirname(config), {
    onChange: (file) => void worker.changed(file),
    onTrouble: (trouble) => terminal.note(trouble),
  })
  const worker = new DevWorker({ config, database, terminal, onImport: (file) => watcher.add(file) })
  try {
    await worker.start()
    await stopped.first
    terminal.print('Stopping: running steps are finished first; once more to give them back at once.')
    void stopped.second.then(() => worker.force())
    await worker.stop()
  } finally {
    await watcher.close()
    await follower.close()
  }
}
