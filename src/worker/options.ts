// What a worker can be told: its options, their defaults, and their bounds.
import { hostname } from 'node:os'
import type { Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import { type StepKind, stepKinds } from '../core/graph.ts'
import { type SafeFetch, safeFetch } from '../net/safe-fetch.ts'
import { type AllowedTargets, checkAllowedTargets } from '../net/target.ts'
import type { ArtifactStore } from '../sdk/artifact-store.ts'
import type { WorkerConfig } from '../sdk/config.ts'
import type { PipelineDefinition } from '../sdk/pipeline-definition.ts'
import { createCipher, type EncryptionKeys } from '../sdk/sealed-runs.ts'
import type { Trigger } from '../sdk/trigger.ts'
import { readSecrets } from './read-secrets.ts'

export interface WorkerOptions extends WorkerConfig {
  /** A connection string. */
  readonly database: string
  /** Where notifications are delivered, if `database` is a transaction pooler. */
  readonly directDatabase?: string
  /** What it serves: an explicit list, never what happens to be imported. */
  readonly pipelines: readonly PipelineDefinition[]
  /** The kinds of steps that it may run; all by default. One of another kind on a queue that it serves is refused at its start. */
  readonly kinds?: readonly StepKind[]
  /**
   * What starts runs of them by itself: registered as a set, so that what is gone from it is retired. Where `kinds` are named and
   * none are given, they stay as other workers registered them.
   */
  readonly triggers?: readonly Trigger[]
  /** Where it tells what happens; by default warnings and errors go to standard error. */
  readonly log?: (entry: WorkerLogEntry) => void
  /** Where artifacts lie; in the database by default. */
  readonly artifacts?: ArtifactStore | undefined
  /** Keys for encrypted pipelines and secrets, by id, each 32 bytes in base64: the first encrypts, all decrypt. MILLRACE_ENCRYPTION_KEYS unless told. */
  readonly encryptionKeys?: EncryptionKeys | undefined
  /** Addresses that callbacks and pings may go to besides those of the public internet over https; none by default. */
  readonly allowTargets?: AllowedTargets | undefined
  /** A draw from [0, 1), for the jitter of retries. */
  readonly random?: () => number
  /** Milliseconds since 1970, for the ids of runs that steps start; the machine's clock by default. */
  readonly now?: () => number
  /** Milliseconds of a clock that is never set: a worker that hears nothing for nine tenths of its lease stops itself by it. */
  readonly monotonic?: () => number
}

export interface WorkerLogEntry {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields?: Readonly<Record<string, unknown>>
}

/** The options with their defaults. */
export interface WorkerSettings {
  readonly database: string
  readonly directDatabase: string
  readonly pipelines: readonly PipelineDefinition[]
  /** Undefined where it registers none, and retires none. */
  readonly triggers: readonly Trigger[] | undefined
  readonly queues: readonly string[]
  readonly kinds: readonly StepKind[]
  readonly slots: number
  readonly connectionsMax: number
  readonly leaseSeconds: number
  readonly heartbeatMs: number
  readonly drainMs: number
  readonly pingMs: number
  readonly name: string
  readonly log: (entry: WorkerLogEntry) => void
  readonly storeStacks: boolean
  readonly sqlSchemas: readonly string[]
  readonly artifacts: ArtifactStore | undefined
  readonly allowTargets: AllowedTargets
  /** How callbacks and pings go out. */
  readonly fetch: SafeFetch
  /** Undefined where no key is given. */
  readonly cipher: Cipher | undefined
  readonly random: () => number
  readonly now: () => number
  readonly monotonic: () => number
  /** Whether it does nothing by itself: its loops turn when a test says so. */
  readonly byHand: boolean
}

/** @throws MillraceError worker_option_invalid, encryption_key_invalid, target_invalid */
export function workerSettings(options: WorkerOptions): WorkerSettings {
  const slots = wholeNumber('slots', options.slots ?? 20, 1, 10_000)
  const leaseSeconds = wholeNumber('leaseSeconds', options.leaseSeconds ?? 10, 3, 3_600)
  const heartbeatMs = wholeNumber('heartbeatMs', options.heartbeatMs ?? 500, 50, 60_000)
  if (heartbeatMs > (leaseSeconds * 1_000) / 3) {
    throw optionInvalid(
      'heartbeatMs',
      `at most a third of the lease (${Math.floor((leaseSeconds * 1_000) / 3)} ms), or a worker that lives would lose its tasks`,
    )
  }
  return {
    database: options.database,
    directDatabase: options.directDatabase ?? options.database,
    pipelines: options.pipelines,
    triggers: options.triggers ?? (options.kinds === undefined ? [] : undefined),
    queues: options.queues ?? [],
    kinds: knownKinds(options.kinds ?? []),
    slots,
    connectionsMax: wholeNumber('connectionsMax', options.connectionsMax ?? Math.min(slots, 20), 1, 1_000),
    leaseSeconds,
    heartbeatMs,
    drainMs: wholeNumber('drainMs', options.drainMs ?? 30_000, 0, 86_400_000),
    pingMs: wholeNumber('pingMs', options.pingMs ?? 10_000, 100, 600_000),
    name: options.name ?? hostname(),
    log: withoutSecrets(options.log ?? tellProblems),
    cipher: createCipher(options.encryptionKeys),
    storeStacks: options.storeStacks ?? false,
    sqlSchemas: options.sqlSchemas ?? [],
    artifacts: options.artifacts,
    allowTargets: checkAllowedTargets(options.allowTargets ?? []),
    fetch: safeFetch,
    random: options.random ?? Math.random,
    now: options.now ?? Date.now,
    monotonic: options.monotonic ?? (() => performance.now()),
    byHand: false,
  }
}

function knownKinds(kinds: readonly StepKind[]): readonly StepKind[] {
  if (kinds.every((kind) => stepKinds.includes(kind))) return kinds
  throw optionInvalid('kinds', `of these: ${stepKinds.join(', ')}`)
}

export function wholeNumber(option: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw optionInvalid(option, `a whole number from ${min} to ${max}`)
}

function optionInvalid(option: string, bounds: string): MillraceError {
  return new MillraceError('worker_option_invalid', `The worker's ${option} must be ${bounds}.`, {
    fields: { option },
  })
}

function withoutSecrets(log: (entry: WorkerLogEntry) => void): (entry: WorkerLogEntry) => void {
  return (entry) => log(readSecrets.redactValue(entry))
}

/** Without a log of its own, a worker still says what keeps it from working. */
function tellProblems({ level, message }: WorkerLogEntry): void {
  if (level !== 'info') process.stderr.write(`millrace worker: ${message}\n`)
}
