// Who asks in the matrix of the API: nobody, three roles, and keys as they are made, bound to two tenants and to pipelines, revoked and expired.
import type { Actor } from '../src/api/access.ts'
import type { Role } from '../src/core/role.ts'
import type { Operation } from '../src/api/operation.ts'
import { poolCaller } from '../src/db/call.ts'
import { ApiKeys } from '../src/sdk/api-keys.ts'
import type { ServerLogEntry } from '../src/server/server-log.ts'
import { openServer, type Server } from '../src/server/server.ts'
import { actorOf } from './api.ts'
import type { TestDatabase } from './database.ts'
import { until } from './deadline.ts'

/** Somebody who asks, and what they are. */
export interface Asker {
  readonly headers: Readonly<Record<string, string>>
  /** undefined: nobody whom the server knows. */
  readonly role?: Role
  readonly bound?: 'tenant A' | 'tenant B' | 'other pipelines'
  /** A credential was shown, and is not taken. */
  readonly refused?: true
}

const roles = ['viewer', 'operator', 'admin'] as const
type AskerName =
  | 'anonymous'
  | (typeof roles)[number]
  | 'key of tenant A'
  | 'key of tenant B'
  | 'key of other pipelines'
  | 'revoked key'
  | 'expired key'
export type Askers = Readonly<Record<AskerName, Asker>>

/** A server that knows people of each role by a header, and keys as ever. */
export async function openMatrix(
  database: TestDatabase,
  log: ServerLogEntry[],
): Promise<{ readonly server: Server; readonly askers: Askers }> {
  const people = new Map<string, Actor>(roles.map((role) => [role, actorOf({ name: role, role })]))
  const server = await openServer({
    database: database.url,
    pipelines: [],
    checkAnswers: true,
    rateLimits: false,
    log: (entry) => log.push(entry),
    authenticators: [
      (request) => {
        const actor = people.get(request.headers.get('x-test-actor') ?? '')
        return Promise.resolve(actor === undefined ? undefined : { actor, ambient: false })
      },
    ],
  })
  const person = (role: Role): Asker => ({ headers: { 'x-test-actor': role }, role })
  const askers = {
    anonymous: { headers: {} },
    viewer: person('viewer'),
    operator: person('operator'),
    admin: person('admin'),
    ...(await makeKeys(database)),
  }
  return { server, askers }
}

type KeyName = Exclude<AskerName, 'anonymous' | Role>

async function makeKeys(database: TestDatabase): Promise<Record<KeyName, Asker>> {
  const caller = poolCaller(database.pool, { prepare: false, database: 'a test database' })
  const keys = new ApiKeys(() => Promise.resolve(caller))
  const role = 'admin'
  const made = (name: string, bounds: { tenant?: string; pipelines?: string[]; livesFor?: '1s' } = {}) =>
    keys.create({ name, role, payloads: true, ...bounds })
  const shown = ({ key }: { readonly key: string | null }) => ({
    headers: { authorization: `Bearer ${key}` },
  })
  const expired = await made('expired', { livesFor: '1s' })
  const revoked = await made('revoked')
  await keys.revoke(revoked.id)
  const bound = {
    'key of tenant A': { ...shown(await made('a', { tenant: 'tenant-a' })), role, bound: 'tenant A' },
    'key of tenant B': { ...shown(await made('b', { tenant: 'tenant-b' })), role, bound: 'tenant B' },
    'key of other pipelines': {
      ...shown(await made('other', { pipelines: ['matrix-other'] })),
      role,
      bound: 'other pipelines',
    },
  } as const
  await until('the key has expired', async () => {
    const [key] = await database.query<{ over: boolean }>(
      `select expires_at < clock_timestamp() as over from millrace.api_key where name = 'expired'`,
    )
    return key?.over === true
  })
  return {
    ...bound,
    'revoked key': { ...shown(revoked), refused: true },
    'expired key': { ...shown(expired), refused: true },
  }
}

/** One request of an operation, with its body where it takes one. */
export function askFor(
  server: Server,
  { headers }: Pick<Asker, 'headers'>,
  { method, body: taken }: Operation,
  path: string,
  body: object,
): Promise<Response> {
  const isSent = method !== 'get' && taken !== undefined
  return server.fetch(
    new Request(`http://millrace.test${path}`, {
      method: method.toUpperCase(),
      headers: { ...headers, ...(isSent ? { 'content-type': 'application/json' } : {}) },
      ...(isSent ? { body: JSON.stringify(body) } : {}),
    }),
  )
}
