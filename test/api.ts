// The server in a test: its handler on a test database, and requests in the name of whoever a test wants.
import { afterEach } from 'vitest'
import { type Actor, scopesOf } from '../src/api/access.ts'
import { openServer, type Server, type ServerOptions } from '../src/server/server.ts'
import type { ServerLogEntry } from '../src/server/server-log.ts'
import type { TestDatabase } from './database.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // What a test reads of it, it claims itself.
  readonly body: ReturnType<typeof JSON.parse>
}

export interface OpenedApi {
  readonly server: Server
  readonly log: ServerLogEntry[]
  /** One request; a body that is given is sent as JSON. */
  ask(
    actor: Partial<Actor> | null,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>
}

/** Opens a server for one test, which ends with it. Actors are made up: who they are is proved where keys and people are tested. */
export function apiOn(
  database: Pick<TestDatabase, 'url'>,
): (options?: Partial<ServerOptions>) => Promise<OpenedApi> {
  const opened = new Set<Server>()
  afterEach(async () => {
    await Promise.all([...opened].map((server) => server.close()))
    opened.clear()
  })
  return async (options = {}) => {
    const log: ServerLogEntry[] = []
    const actors = new Map<string, Actor>()
    const server = await openServer({
      database: database.url,
      pipelines: [],
      log: (entry) => log.push(entry),
      checkAnswers: true,
      authenticators: [
        (request) => {
          const actor = actors.get(request.headers.get('x-test-actor') ?? '')
          return Promise.resolve(actor === undefined ? undefined : { actor, ambient: false })
        },
      ],
      ...options,
    })
    opened.add(server)
    return {
      server,
      log,
      ask: async (actor, method, path, body, headers = {}) => {
        const known = actor === null ? undefined : actorOf(actor)
        if (known !== undefined) actors.set(known.name, known)
        const response = await server.fetch(
          new Request(`http://millrace.test${path}`, {
            method,
            headers: {
              ...(body === undefined ? {} : { 'content-type': 'application/json' }),
              ...(known === undefined ? {} : { 'x-test-actor': known.name }),
              ...headers,
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          }),
        )
        const text = await response.text()
        return {
          status: response.status,
          headers: response.headers,
          body: text === '' ? {} : JSON.parse(text),
        }
      },
    }
  }
}

let made = 0

/** A person with all that its role has, or what else a test says. */
export function actorOf(parts: Partial<Actor>): Actor {
  const role = parts.role ?? 'admin'
  return {
    kind: 'person',
    id: `actor-${++made}`,
    name: `actor-${made}@millrace.test`,
    role,
    scopes: scopesOf(role),
    tenant: null,
    pipelines: null,
    run: null,
    payloads: true,
    ...parts,
  }
}
