// Owns millrace.config.ts: what it may hold, and the check of it.
import { z } from 'zod'
import { MillraceError } from '../core/errors.ts'
import { checkGraph } from '../core/graph.ts'
import { formatPath } from '../core/json.ts'
import { type ArtifactStore, isArtifactStore } from './artifact-store.ts'
import { isPipeline, type PipelineDefinition } from './pipeline-definition.ts'
import { isTrigger, type Trigger } from './trigger.ts'

/** What every worker that reads this configuration is told; a worker checks the bounds when it starts. */
export interface WorkerConfig {
  /** Only steps on these queues; all by default. */
  readonly queues?: readonly string[]
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

const shape = strictSettings({
  database: text.optional(),
  directDatabase: text.optional(),
  pipelines: z.array(z.custom(isPipeline, 'it was not made by pipeline()'), 'it is no list of pipelines'),
  triggers: z
    .array(z.custom(isTrigger, 'it was not made by schedule() or its like'), 'it is no list of triggers')
    .optional(),
  encryptionKeys: z.record(z.string(), text, 'it is no object of keys').optional(),
  worker: worker.optional(),
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
