// Owns the server as a whole: what it is told, what it opens, and the handler that answers requests.
import { randomBytes, randomUUID } from 'node:crypto'
import { checkLiveness, checkReadiness } from '../api/health.ts'
import { answerWithin } from '../core/answer-within.ts'
import { MillraceError } from '../core/errors.ts'
import { poolCaller } from '../db/call.ts'
import { answerMsMax, createPool, describeDatabase, isPoolPooled } from '../db/connection.ts'
import { checkAllowedTargets } from '../net/target.ts'
import { connect } from '../sdk/client.ts'
import type { Config } from '../sdk/config.ts'
import { createCipher } from '../sdk/sealed-runs.ts'
import { createApp } from './app.ts'
import type { Authenticator } from './authenticate.ts'
import { Health } from './health.ts'
import { localAuthenticator } from './local.ts'
import { Metrics } from './metrics.ts'
import { developerSignIn } from './people/developer.ts'
import { originGuard } from './people/origin-guard.ts'
import { openPeople, type PeopleOptions } from './people/people.ts'
import { problemAnswer } from './problem-answer.ts'
import { keyAuthenticator } from './key-authenticator.ts'
import { KeyUses } from './key-uses.ts'
import { keyWarningGuard } from './key-warnings.ts'
import { rateLimitGuard, type RateLimits } from './rate-limits.ts'
import type { Origin } from './origin.ts'
import { deliveryFacts, type ServerLog } from './server-log.ts'
import type { ServerRoom } from './room.ts'
import { RunTokens } from './run-tokens.ts'
import { routes } from './routes.ts'
import { Turns } from './turns.ts'
import { healthRoutes } from './routes/health.ts'
import { OpenStreams, type StreamBounds } from './event-stream.ts'
import { Lookout } from './lookout.ts'
import { createTransport } from './transport.ts'

/** What a server serves; each of them also alone. */
const serverParts = ['api', 'webhooks'] as const
export type ServerPart = (typeof serverParts)[number]

export interface ServerOptions
  extends Pick<Config, 'pipelines' | 'triggers' | 'encryptionKeys' | 'artifacts' | 'allowTargets'>,
    StreamBounds {
  readonly database: string
  /** Where notifications are delivered, if `database` is a transaction pooler. */
  readonly directDatabase?: string | undefined
  /** Connections for requests. 10 by default. */
  readonly connectionsMax?: number
  /** Both by default; whichever it is, it tells its health. */
  readonly parts?: readonly ServerPart[]
  /** Under which people reach it: https://millrace.example.org. */
  readonly url?: string
  /** Where it is mounted below that, such as /api/millrace; at the root by default. */
  readonly basePath?: string
  /** Origins whose pages may call the API; none by default. */
  readonly allowedOrigins?: readonly string[]
  /** Where a line of JSON for each event goes; nowhere by default. */
  readonly log?: ServerLog
  /** Milliseconds since 1970; the machine's clock by default. */
  readonly now?: () => number
  /** How many requests may come; the defaults unless told, false for any number. */
  readonly rateLimits?: Partial<RateLimits> | false | undefined
  /** Ways of signing in besides those of the house. */
  readonly authenticators?: readonly Authenticator[]
  /** How people sign in, under `url`; without it nobody does, and keys alone are known. */
  readonly people?: PeopleOptions
  /** Sign in whoever is on this machine as its developer. */
  readonly dev?: boolean
  /** Whoever opens it has looked at the schema already: readiness doesn't read it once more. */
  readonly schemaFits?: boolean
  /** Compare each answer with its schema: for tests, because it costs time. */
  readonly checkAnswers?: boolean
}

/** What the surroundings know of a request that the request itself doesn't say. */
export interface Surroundings {
  /** The address of the sender, after declared proxies. */
  readonly remoteAddress?: string | undefined
  /** It came over TLS, or a declared proxy says so. */
  readonly secure?: boolean
  /** It came from this machine to a server that listens on nothing else, under a name that only this machine has, with nobody between. */
  readonly local?: boolean
}

export interface Server {
  /** Answers one request: for whatever speaks the web's Request and Response. Never rejects. */
  readonly fetch: (request: Request, surroundings?: Surroundings) => Promise<Response>
  /** Counts a request that was refused before it could be read, for the metrics. */
  readonly countMalformed: (status: number) => void
  /** Says that it isn't ready any more, and ends what is streamed. Requests are answered as before. */
  drain(): void
  /** Waits five seconds at most for a database that says nothing. */
  close(): Promise<void>
}

/** Opens a server; it listens nowhere by itself. @throws MillraceError connection_string_invalid, database_unreachable, and its like */
export async function openServer(options: ServerOptions): Promise<Server> {
  const pool = createPool({
    connectionString: options.database,
    applicationName: 'millrace server',
    connectionsMax: options.connectionsMax ?? 10,
    answerTimeoutMs: answerMsMax,
  })
  const database = describeDatabase(options.database)
  const client = connect({
    database: options.database,
    startedVia: 'http',
    ...(options.directDatabase === undefined ? {} : { directDatabase: options.directDatabase }),
    ...(options.encryptionKeys === undefined ? {} : { encryptionKeys: options.encryptionKeys }),
    ...(options.artifacts === undefined ? {} : { artifacts: options.artifacts }),
    ...(options.allowTargets === undefined ? {} : { allowTargets: options.allowTargets }),
  })
  const close = async (): Promise<void> => {
    await client.close()
    await pool.end()
  }
  try {
    const pooled = await isPoolPooled(pool, database)
    const closing = new AbortController()
    const now = options.now ?? Date.now
    const reads = poolCaller(pool, { prepare: !pooled, database })
    const room: ServerRoom = {
      client,
      pool,
      reads,
      committed: reads,
      database,
      log: options.log ?? (() => {}),
      now,
      random: (bytes) => randomBytes(bytes),
      tokens: new RunTokens({ caller: reads, now, random: (bytes) => randomBytes(bytes) }),
      keyUses: new KeyUses(reads, options.log ?? (() => {})),
      // No more than half of the connections: a handler that has one may want another.
      repeats: new Turns((options.connectionsMax ?? 10) / 2),
      cipher: createCipher(options.encryptionKeys),
      pipelines: options.pipelines,
      triggers: options.triggers ?? [],
      allowTargets: checkAllowedTargets(options.allowTargets ?? []),
      lookout: new Lookout({
        caller: poolCaller(pool, { prepare: false, database }),
        log: options.log ?? (() => {}),
      }),
      streams: new OpenStreams(options),
      health: new Health({ pool, reads, now, schemaFits: options.schemaFits ?? false }),
      metrics: new Metrics(),
      basePath: options.basePath ?? '',
      people:
        options.people &&
        (await openPeople({ reads, log: options.log ?? (() => {}) }, addressOf(options), options.people)),
    }
    closing.signal.addEventListener('abort', () => room.lookout.close())
    return {
      fetch: answering(options, room),
      countMalformed: (status) => room.metrics.countMalformed(status),
      drain: () => {
        room.health.drain()
        closing.abort()
      },
      close: async () => {
        closing.abort()
        // A database that says nothing keeps nobody from ending.
        await answerWithin(closeMsMax, room.keyUses.write().then(close), undefined)
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** @throws MillraceError argument_invalid */
function addressOf({ url, basePath = '' }: ServerOptions): string {
  if (url !== undefined) return `${url}${basePath}`
  throw new MillraceError(
    'argument_invalid',
    'People sign in under an address: give the option url beside people.',
  )
}

const closeMsMax = 5_000
const probes: ReadonlySet<string> = new Set([checkLiveness.path, checkReadiness.path])

/** Everything that a request meets, from its bounds to its handler. */
function answering(options: ServerOptions, room: ServerRoom): Server['fetch'] {
  const parts = options.parts ?? serverParts
  const pathOf = pathBelow(room.basePath)
  const origins = new WeakMap<Request, Origin>()
  const app = createApp({
    room,
    // The description is one of the API.
    routes: parts.includes('api')
      ? routes
      : healthRoutes.filter(({ operation }) => operation.tag === 'health'),
    authenticators: [
      ...(options.authenticators ?? []),
      keyAuthenticator({ reads: room.reads, used: (id, address) => room.keyUses.add(id, address) }),
      room.tokens.authenticator(),
      ...(room.people === undefined ? [] : [room.people.authenticate]),
      ...(options.dev === true ? [developerSignIn] : []),
      localAuthenticator(pathOf, ['/health', '/metrics']),
    ],
    guards: [
      originGuard((request) => new URL(room.people?.url ?? request.url).origin),
      rateLimitGuard({ pool: room.pool, limits: options.rateLimits }),
      keyWarningGuard,
    ],
    origin: (request) => origins.get(request) ?? originOf(request, {}),
    pathOf,
    ...(options.checkAnswers === undefined ? {} : { checkAnswers: options.checkAnswers }),
  })
  const door = parts.includes('webhooks')
    ? room.client.webhooks.handler(options.triggers ?? [], {
        onError: (error) => room.log({ level: 'warn', event: 'delivery.failed', ...deliveryFacts(error) }),
      })
    : undefined
  const transport = createTransport(
    {
      allowedOrigins: options.allowedOrigins ?? [],
      strict: options.url?.startsWith('https:') ?? false,
      isProbe: (request) => probes.has(pathOf(request)),
    },
    async (request, { address }) =>
      door !== undefined && request.method === 'POST' && /^\/webhooks\/[^/]+$/.test(pathOf(request))
        ? counted(room, () => door(request, { remoteAddress: address }))
        : app.fetch(request),
    (error, { correlationId }) => problemAnswer(error, correlationId, room.log),
  )
  return (request, surroundings = {}) => {
    const origin = originOf(request, surroundings)
    origins.set(request, origin)
    return transport(request, origin)
  }
}

/** Deliveries are no operation, and count as one. */
async function counted({ metrics }: ServerRoom, answer: () => Promise<Response>): Promise<Response> {
  const began = performance.now()
  const response = await answer()
  metrics.countRequest('receiveDelivery', response.status, (performance.now() - began) / 1_000)
  return response
}

/** The path of a request below the address at which the server is mounted; one outside of it is no path that there is. */
function pathBelow(basePath: string): (request: Request) => string {
  return ({ url }) => {
    const path = getPath(url)
    if (basePath === '') return path
    return path === basePath || path.startsWith(`${basePath}/`) ? path.slice(basePath.length) || '/' : ''
  }
}

/** As it was sent: what is encoded stays so, and is no slash. */
function getPath(url: string): string {
  const begin = url.indexOf('/', url.indexOf('://') + 3)
  if (begin === -1) return '/'
  const end = url.slice(begin).search(/[?#]/)
  return end === -1 ? url.slice(begin) : url.slice(begin, begin + end)
}

function originOf(request: Request, { remoteAddress, secure, local }: Surroundings): Origin {
  return {
    address: remoteAddress,
    secure: secure ?? request.url.startsWith('https:'),
    local: local ?? false,
    correlationId: randomUUID(),
    userAgent: request.headers.get('user-agent')?.slice(0, 200) ?? undefined,
  }
}
