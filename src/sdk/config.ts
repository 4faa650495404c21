// Owns millrace.config.ts: what it may hold, and the check of it.
import { z } from 'zod'
import { MillraceError } from '../core/errors.ts'
import { checkGraph, type StepKind, stepKinds } from '../core/graph.ts'
import { isIpRange } from '../core/ip-ranges.ts'
import { formatPath } from '../core/json.ts'
import { type ArtifactStore, isArtifactStore } from './artifact-store.ts'
import { isPipeline, type PipelineDefinition } from './pipeline-definition.ts'
import { isTrigger, type Trigger } from './trigger.ts'

/** What every worker that reads this configuration is told; a worker checks the bounds when it starts. */
export interface WorkerConfig {
  /** Only steps on these queues; all by default. */
  readonly queues?: readonly string[]
  /** Only these kinds of steps; all by default. A step of another kind on a queue that it serves is refused at its start. */
  readonly kinds?: readonly StepKind[]
  /** How many tasks run at once. 20 by default. */
  readonly slots?: number
  /** Connections for `sql` and for `tx` steps; as many as slots by default, 20 at most. */
  readonly connectionsMax?: number
  /** Seconds without a heartbeat after which its tasks are run elsewhere. 10 by default. */
  readonly leaseSeconds?: number
  /** Milliseconds between heartbeats; a third of the lease at most. 500 by default. */
  readonly heartbeatMs?: number
  /** Milliseconds that a stop waits for running steps before it gives them back. 30,000 by default. */
  readonly drainMs?: number
  /** Milliseconds between pings of the listening connection, whose answer may take half as long. 10,000 by default. */
  readonly pingMs?: number
  /** What people see; the host's name by default. */
  readonly name?: string
  /** Keep the stack of a step's error in its record. Off by default: it names files and lines. */
  readonly storeStacks?: boolean
  /** The schemas whose functions `sql` steps may call; none by default. */
  readonly sqlSchemas?: readonly string[]
}

/** How people sign in to the server. What is secret comes from the environment. */
export interface PeopleConfig {
  /** A provider that speaks OpenID Connect; its secret is MILLRACE_OIDC_CLIENT_SECRET. */
  readonly oidc?: { readonly issuer: string; readonly clientId: string }
  /** Whether new passwords are looked up among leaked ones. true by default; a text is the address of a mirror of the public service. */
  readonly breachCheck?: boolean | string
  /** Seconds after which a session ends: without a request, 8 hours by default; in any case, 7 days by default. */
  readonly sessions?: { readonly idleSeconds?: number; readonly absoluteSeconds?: number }
  /** Tries to sign in that may fail in a while, for a person and for a sender: 5 in 900 s by default. */
  readonly signIn?: { readonly triesMax?: number; readonly windowSeconds?: number }
}

/** What the server is told that `millrace start` runs. */
export interface ServerConfig {
  /** The address to listen on. 127.0.0.1 by default; another one takes `tls` or `trustedProxies`. */
  readonly host?: string
  /** 7337 by default. */
  readonly port?: number
  /** Under which people reach it, where a proxy stands before it: https://millrace.example.org. That of the listener by default. */
  readonly url?: string
  /** Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, as addresses and networks; none by default. */
  readonly trustedProxies?: readonly string[]
  /** Files of a certificate and its key as PEM, for TLS without a proxy. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** How people sign in. */
  readonly people?: PeopleConfig
  /** Origins whose pages may call the API, such as https://app.example.org; none by default. */
  readonly allowedOrigins?: readonly string[]
  /** How many requests may come: from an address in a minute, 100 by default; with a key that has no limit of its own in an hour, 1,000 by default. false: any number. */
  readonly rateLimits?: { readonly addressPerMinute?: number; readonly keyPerHour?: number } | false
  /** Connections for requests. 10 by default. */
  readonly connectionsMax?: number
}

export interface Config {
  /** The connection string; where left out, undefined or empty, that of the environment. */
  readonly database?: string | undefined
  /** Where notifications are delivered, if `database` is a transaction pooler. */
  readonly directDatabase?: string | undefined
  /** An explicit list, never what happens to be imported. */
  readonly pipelines: readonly PipelineDefinition[]
  /** What starts runs by itself. Workers register it as a set: what is gone from here is retired. */
  readonly triggers?: readonly Trigger[]
  /** Keys for encrypted pipelines and secrets, by id, each 32 bytes in base64: the first encrypts, all decrypt. MILLRACE_ENCRYPTION_KEYS unless told. */
  readonly encryptionKeys?: Readonly<Record<string, string>> | undefined
  readonly worker?: WorkerConfig
  readonly server?: ServerConfig
  /** Where artifacts lie; in the database by default. */
  readonly artifacts?: ArtifactStore
  /** Ranges, hosts and origins that callbacks and pings may go to besides the public internet over https; none by default. */
  readonly allowTargets?: readonly string[]
  /** Queries by a name of yours, with $1, $2 … for values: `millrace plan` prepares each of them in the target database. */
  readonly queries?: Readonly<Record<string, string>>
}

/**
 * Checks what millrace.config.ts exports, and gives it back as it is.
 * @throws MillraceError `config_invalid`, naming the setting; `steps_missing` for a pipeline without a step
 */
export function defineConfig<const C extends Config>(config: C): C {
  const { error } = shape.safeParse(config)
  if (error !== undefined) throw invalid(error.issues.map(problemText).join('; '))
  const slugs = new Set<string>()
  for (const { slug, graph } of config.pipelines) {
    checkGraph(slug, graph)
    if (slugs.has(slug)) throw invalid(`pipelines: two of them are named '${slug}'`)
    slugs.add(slug)
  }
  const triggers = new Set<string>()
  for (const { kind, name } of config.triggers ?? []) {
    if (triggers.has(`${kind} ${name}`)) throw invalid(`triggers: two are a ${kind} named '${name}'`)
    triggers.add(`${kind} ${name}`)
  }
  return config
}

const count = z.int('it is no whole number').optional()
const text = z.string('it is no text')

const worker = strictSettings({
  queues: z.array(text, 'it is no list of names').optional(),
  kinds: z.array(z.enum(stepKinds)).optional(),
  slots: count,
  connectionsMax: count,
  leaseSeconds: count,
  heartbeatMs: count,
  drainMs: count,
  pingMs: count,
  name: text.optional(),
  storeStacks: z.boolean('it is neither true nor false').optional(),
  sqlSchemas: z.array(text, 'it is no list of names').optional(),
})

const address = text.refine(isSecureAddress, 'it is no address such as https://login.example.org')
const seconds = z
  .int('it is no whole number')
  .min(60, 'it takes 60 at least')
  .max(31_536_000, 'it is longer than a year')
  .optional()

const people = strictSettings({
  oidc: strictSettings({ issuer: address, clientId: text }).optional(),
  breachCheck: z.union([z.boolean(), address], 'it is neither true nor false, nor an address').optional(),
  sessions: strictSettings({ idleSeconds: seconds, absoluteSeconds: seconds }).optional(),
  signIn: strictSettings({
    triesMax: z
      .int('it is no whole number')
      .min(1, 'it takes 1 at least')
      .max(100, 'it takes 100 at most')
      .optional(),
    windowSeconds: seconds,
  }).optional(),
})

const requests = z
  .int('it is no whole number')
  .min(1, 'it takes 1 at least')
  .max(1_000_000_000, 'it takes 1,000,000,000 at most')

const server = strictSettings({
  host: text.optional(),
  port: z.int('it is no whole number').min(0, 'it is no port').max(65_535, 'it is no port').optional(),
  url: text.refine(isOrigin, 'it is no address such as https://millrace.example.org').optional(),
  trustedProxies: z
    .array(text.refine(isIpRange, 'it is neither an address nor a network'), 'it is no list of addresses')
    .optional(),
  tls: strictSettings({ certificate: text, key: text }).optional(),
  people: people.optional(),
  allowedOrigins: z
    .array(
      text.refine(isOrigin, 'it is no origin such as https://app.example.org'),
      'it is no list of origins',
    )
    .optional(),
  rateLimits: z
    .union([
      z.literal(false),
      strictSettings({ addressPerMinute: requests.optional(), keyPerHour: requests.optional() }),
    ])
    .optional(),
  connectionsMax: z.int('it is no whole number').min(1, 'it takes 1 at least').optional(),
})

/** What is secret goes there: over TLS, or within this machine. */
function isSecureAddress(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, hostname } = new URL(value)
  return (
    protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
  )
}

/** Scheme, host and port as a browser writes them: nothing that has to be guessed at, such as * or a path. */
function isOrigin(value: string): boolean {
  return URL.canParse(value) && /^https?:/.test(value) && new URL(value).origin === value
}

const shape = strictSettings({
  database: text.optional(),
  directDatabase: text.optional(),
  pipelines: z.array(z.custom(isPipeline, 'it was not made by pipeline()'), 'it is no list of pipelines'),
  triggers: z
    .array(z.custom(isTrigger, 'it was not made by schedule() or its like'), 'it is no list of triggers')
    .optional(),
  encryptionKeys: z.record(z.string(), text, 'it is no object of keys').optional(),
  worker: worker.optional(),
  server: server.optional(),
  artifacts: z.custom(isArtifactStore, 'it is no store with a name, write, read and remove').optional(),
  allowTargets: z.array(text, 'it is no list of texts').optional(),
  queries: z.record(z.string(), text.trim().min(1, 'it is empty'), 'it is no object of queries').optional(),
})

function strictSettings<Settings extends z.ZodRawShape>(
  settings: Settings,
): z.ZodObject<Settings, z.core.$strict> {
  const error = (issue: { code: string }) =>
    issue.code === 'invalid_type' ? 'it is no object of settings' : undefined
  return z.strictObject(settings, { error })
}

function problemText(issue: z.core.$ZodIssue): string {
  const path = formatPath(
    issue.path.map((segment) => (typeof segment === 'number' ? segment : String(segment))),
  )
  if (issue.code !== 'unrecognized_keys') return `${path || 'the configuration'}: ${issue.message}`
  const names = issue.keys.map((key) => (path === '' ? key : `${path}.${key}`))
  return `${names.join(', ')}: there is no such setting`
}

function invalid(problem: string): MillraceError {
  return new MillraceError('config_invalid', `millrace.config.ts is not valid: ${problem}.`, {
    fields: { problem },
  })
}
