// Owns the server as a command runs it: as the configuration and the command line say, on an address where it may be.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { MillraceError } from '../core/errors.ts'
import { clientCaller } from '../db/call.ts'
import { connectClient } from '../db/connection.ts'
import type { Config, ServerConfig } from '../sdk/config.ts'
import { refuseExposure } from '../server/exposure.ts'
import { listen } from '../server/listen.ts'
import { firstAdminLink } from '../server/people/first-admin.ts'
import { peopleOptions } from '../server/people/settings.ts'
import type { ServerLogEntry } from '../server/server-log.ts'
import { openServer, type Server, type ServerPart } from '../server/server.ts'
import { eventLog } from './configured-worker.ts'
import type { ChosenDatabase } from './database-choice.ts'
import { eventWords, placesOf } from './event-words.ts'
import { hostDefault, listening, portDefault, shownAddress } from './listening.ts'
import { refuseSchema } from './schema-refusal.ts'
import type { Session } from './session.ts'
import type { Terminal } from './terminal.ts'

export interface ServerChoices extends Pick<ServerConfig, 'host' | 'port' | 'url' | 'trustedProxies'> {
  readonly parts: readonly ServerPart[]
  /** Whoever comes from this machine is signed in by itself. */
  readonly dev?: boolean
}

export interface RunningServer {
  /** Such as http://127.0.0.1:7337. */
  readonly address: string
  close(): Promise<void>
}

/** The API of dev: on this machine alone, whatever the configuration says of where the server listens; on another port where its own is taken. */
export async function startDevServer(
  session: Pick<Session, 'terminal' | 'surroundings' | 'project'>,
  { server: { port = portDefault, connectionsMax } = {}, ...config }: Config,
  database: Pick<ChosenDatabase, 'url' | 'directUrl'>,
): Promise<RunningServer> {
  const own = { ...config, server: connectionsMax === undefined ? {} : { connectionsMax } }
  const startOn = (one: number) =>
    startConfiguredServer(session, own, database, { parts: ['api'], port: one, dev: true })
  return startOn(port).catch((error: unknown) => {
    if (error instanceof MillraceError && error.code === 'command_invalid') return startOn(0)
    throw error
  })
}

/** @throws MillraceError server_exposed, server_secret_missing, command_invalid, config_invalid, those of refuseSchema, and those of openServer */
export async function startConfiguredServer(
  { terminal, surroundings, project }: Pick<Session, 'terminal' | 'surroundings' | 'project'>,
  config: Config,
  { url: database, directUrl }: Pick<ChosenDatabase, 'url' | 'directUrl'>,
  choices: ServerChoices,
): Promise<RunningServer> {
  const { people: peopleConfig, ...settings } = { ...config.server, ...choices }
  const { host = hostDefault, port = portDefault, trustedProxies = [], tls, dev = false } = settings
  await refuseExposure({ host, tls: tls !== undefined, trustedProxies, dev })
  const people = dev ? undefined : peopleOptions(peopleConfig, surroundings.environment)
  const certificate = tls && {
    certificate: readPem(project, tls.certificate),
    key: readPem(project, tls.key),
  }
  await refuseSchema(database, 'millrace server', choices.parts.includes('api'))
  // It listens first, so that it knows under which port people reach it; who comes early waits.
  const opening = new Opening()
  const listener = await listening(
    listen(opening.fetch, {
      host,
      port,
      trustedProxies,
      tls: certificate,
      onMalformed: opening.countMalformed,
    }),
    host,
    port,
  )
  const address = `${tls === undefined ? 'http' : 'https'}://${shownAddress(listener)}`
  try {
    const url = settings.url ?? address
    const server = await openServer({
      ...config,
      ...settings,
      database,
      directDatabase: directUrl,
      url,
      ...(people === undefined ? {} : { people }),
      schemaFits: true,
      log: serverLog(terminal),
    })
    opening.open(server)
    if (people !== undefined) await offerFirstAdmin(terminal, database, url)
    else if (!dev && choices.parts.includes('api'))
      terminal.note('Nobody can sign in, since MILLRACE_SERVER_SECRET is not set: only keys are taken.')
    return {
      address,
      close: async () => {
        server.drain()
        await listener.close()
        await server.close()
      },
    }
  } catch (error) {
    await listener.close()
    throw error
  }
}

/** A server that is about to be there. */
class Opening {
  #resolve: (server: Server) => void = () => {}
  readonly #server = new Promise<Server>((resolve) => {
    this.#resolve = resolve
  })
  readonly fetch: Server['fetch'] = async (request, about) => (await this.#server).fetch(request, about)
  readonly countMalformed: Server['countMalformed'] = (status) =>
    void this.#server.then((server) => server.countMalformed(status))

  open(server: Server): void {
    this.#resolve(server)
  }
}

/** Where nobody could sign in as an admin, whoever started the server gets a link by which somebody can. */
async function offerFirstAdmin(terminal: Terminal, database: string, url: string): Promise<void> {
  const client = await connectClient({ connectionString: database, applicationName: 'millrace server' })
  try {
    const offered = await firstAdminLink({ caller: clientCaller(client), random: randomBytes, url })
    if (offered === undefined) return
    terminal.note('There is no admin yet. Who opens this link within the hour becomes one, once:')
    terminal.note(`  ${offered.link}`)
  } finally {
    await client.end()
  }
}

/** From the folder of the configuration, wherever the command was called. */
function readPem(folder: string, file: string): Buffer {
  try {
    return fs.readFileSync(path.resolve(folder, file))
  } catch (cause) {
    throw new MillraceError('config_invalid', `server.tls: ${file} can't be read.`, {
      fields: { file },
      cause,
    })
  }
}

/** What is the server's own fault, with what it is found by again; an error with its place. */
export function serverLog(terminal: Terminal): (entry: ServerLogEntry) => void {
  const log = eventLog(terminal)
  return ({ level, event, ...fields }) => {
    const places = terminal.json || level !== 'error' ? [] : placesOf(fields['stack'])
    log({ level, message: [eventWords(event, fields), ...places].join('\n'), fields })
  }
}
