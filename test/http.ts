// An API of a test on a real socket, whose keys are made up: the key k-NAME is whoever the test says.
import { serve } from '@hono/node-server'
import type { AddressInfo } from 'node:net'
import type { Server as NodeServer } from 'node:http'
import { afterEach } from 'vitest'
import type { Actor } from '../src/api/access.ts'
import { openServer, type Server, type ServerOptions } from '../src/server/server.ts'
import { actorOf } from './api.ts'
import type { TestDatabase } from './database.ts'

export interface ServedApi {
  readonly url: string
  readonly server: Server
}

/** Serves the API for one test, to whoever shows one of these keys. A page, if there is one, is served at /page. */
export function servedApiOn(
  database: Pick<TestDatabase, 'url'>,
): (
  actors: Readonly<Record<string, Partial<Actor>>>,
  more?: Partial<ServerOptions> & { readonly page?: string },
) => Promise<ServedApi> {
  const endings: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const end of endings.splice(0)) await end()
  })
  return async (actors, { page, ...options } = {}) => {
    const known = new Map(Object.entries(actors).map(([key, actor]) => [`Bearer ${key}`, actorOf(actor)]))
    const server = await openServer({
      database: database.url,
      pipelines: [],
      checkAnswers: true,
      authenticators: [
        (request) => {
          const actor = known.get(request.headers.get('authorization') ?? '')
          return Promise.resolve(actor === undefined ? undefined : { actor, ambient: false })
        },
      ],
      ...options,
    })
    const fetch = (request: Request): Promise<Response> | Response =>
      page !== undefined && new URL(request.url).pathname === '/page'
        ? new Response(page, { headers: { 'content-type': 'text/html' } })
        : server.fetch(request)
    const listening = await new Promise<NodeServer>((resolve) => {
      const made = serve({ fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(made as NodeServer))
    })
    endings.push(async () => {
      listening.closeAllConnections()
      await new Promise((resolve) => void listening.close(resolve))
      await server.close()
    })
    return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`, server }
  }
}
