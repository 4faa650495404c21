// millrace start: serves the API and the webhooks until it is told to stop, with a worker beside where that is wished.
import { Command, Option } from 'commander'
import type { Config } from '../sdk/config.ts'
import type { ServerPart } from '../server/server.ts'
import type { Worker } from '../worker/worker.ts'
import { startConfiguredWorker, tellServing } from './configured-worker.ts'
import type { ChosenDatabase } from './database-choice.ts'
import { type AddressChoices, portDefault, withAddressOptions } from './listening.ts'
import type { CurrentSession, Session } from './session.ts'
import type { StopRequests } from './stop-requests.ts'
import { untilStopped } from './until-stopped.ts'

const partNames = ['api', 'webhooks'] as const satisfies readonly ServerPart[]

interface Choices extends AddressChoices {
  readonly only?: ServerPart
  readonly workers?: true
}

export function startServerCommand(current: CurrentSession): Command {
  const command = new Command('start').description('serve the HTTP API and the webhooks until it is stopped')
  return withAddressOptions(command, portDefault)
    .addOption(new Option('--only <part>', 'serve nothing but this part').choices(partNames))
    .option('--workers', 'run a worker in the same process')
    .action((choices: Choices) => start(current(), choices))
}

async function start(session: Session, choices: Choices): Promise<void> {
  const config = (await session.findConfig())?.config ?? { pipelines: [] }
  await untilStopped(session, (database, stopped) => serve(session, stopped, config, database, choices))
}

async function serve(
  session: Session,
  stopped: StopRequests,
  config: Config,
  database: ChosenDatabase,
  { host, port, trustedProxy, only, workers }: Choices,
): Promise<void> {
  const { terminal } = session
  const parts = only === undefined ? partNames : [only]
  // What signs people in takes a while to load, and no other command needs it.
  const { startConfiguredServer } = await import('./configured-server.ts')
  const opening = startConfiguredServer(session, config, database, {
    parts,
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(trustedProxy !== undefined && { trustedProxies: trustedProxy }),
  })
  const server = await Promise.race([opening, stopped.first])
  if (server === undefined) {
    // A database that says nothing holds it for as long as a connection may take.
    session.mustExit = true
    return
  }
  terminal.answerLine({ address: server.address, parts })
  terminal.print(`Serving ${parts.join(' and ')} on ${server.address}`)
  let worker: Worker | undefined
  try {
    const starting = workers === true ? startConfiguredWorker(terminal, config, database) : undefined
    worker = (await Promise.race([starting ?? stopped.first, stopped.first])) ?? undefined
    if (worker !== undefined) tellServing(terminal, worker)
    // A worker that still waits for its database can't be told to stop before it began, and a database that says nothing holds its connections.
    session.mustExit = true
    await stopped.first
  } finally {
    // Who asks again waits for no request and no step, but an embedded database still is let go.
    const forced = stopped.second.then(async () => {
      session.exitStatus = 1
      await worker?.stop({ force: true })
    })
    await Promise.race([Promise.all([server.close(), worker?.stop()]), forced])
  }
}
