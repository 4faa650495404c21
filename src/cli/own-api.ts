// Owns the API as a command has it: that of the server which is named, or else one in this process, on the database, in the name of its login.
import os from 'node:os'
import type { Actor } from '../api/access.ts'
import { connectHttp, type HttpClient } from '../client/http-client.ts'
import { MillraceError } from '../core/errors.ts'
import { strongestRole } from '../db/acting.ts'
import type { Session } from './session.ts'

/** Nothing listens there: the server is in this process. */
const ownAddress = 'http://millrace.local'

export interface Api {
  readonly url: string
  readonly key?: string | undefined
  readonly fetch: typeof fetch
}

/** Runs `work` with the operations of the API. @throws MillraceError not_allowed, and those of withDatabase */
export async function withApi<T>(session: Session, work: (client: HttpClient) => Promise<T>): Promise<T> {
  const { remote } = session
  if (remote !== undefined) return work(remote)
  return withOwnApi(session, undefined, ({ url, fetch }) => work(connectHttp({ url, fetch, retriesMax: 0 })))
}

/** @param agent whether a model acts by it, and how; a person does where nothing is said */
export async function withOwnApi<T>(
  session: Session,
  agent: Actor['agent'],
  work: (api: Api) => Promise<T>,
): Promise<T> {
  return session.withDatabase(async ({ url, directUrl, caller }) => {
    const role = await strongestRole(caller)
    if (role === undefined)
      throw new MillraceError(
        'not_allowed',
        'You may not do this. The login of the database has no role of Millrace that it may act as.',
        { hint: 'Let an administrator of the database give it one, such as: grant millrace_operator to app' },
      )
    const config = (await session.findConfig())?.config ?? { pipelines: [] }
    // Only here: what a server needs takes a while to load.
    const { openServer } = await import('../server/server.ts')
    const server = await openServer({
      pipelines: config.pipelines,
      ...(config.encryptionKeys === undefined ? {} : { encryptionKeys: config.encryptionKeys }),
      ...(config.artifacts === undefined ? {} : { artifacts: config.artifacts }),
      ...(config.allowTargets === undefined ? {} : { allowTargets: config.allowTargets }),
      database: url,
      directDatabase: directUrl,
      connectionsMax: 4,
      authenticators: [() => Promise.resolve({ actor: loginOf(role, agent), ambient: false })],
    })
    try {
      return await work({ url: ownAddress, fetch: (input, init) => server.fetch(new Request(input, init)) })
    } finally {
      server.drain()
      await server.close()
    }
  })
}

/** Whoever may log in to the database may see what is in it. */
function loginOf(role: Actor['role'], agent: Actor['agent']): Actor {
  return {
    kind: 'local',
    id: 'command-line',
    name: loginName(),
    role,
    scopes: null,
    tenant: null,
    pipelines: null,
    run: null,
    payloads: true,
    ...(agent === undefined ? {} : { agent }),
  }
}

/** Whoever a container runs as is often in no list of users: there the system knows a number and no name. */
function loginName(): string {
  try {
    return os.userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
