// What a handler gets from `secret`: the value from its source, once the read of it is on record.
import type { Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import { keysVariable } from '../core/key-ring.ts'
import type { Caller } from '../db/call.ts'
import { findSecret, recordSecretRead } from '../db/secrets.ts'
import type { WorkerKey } from '../db/tasks.ts'
import { checkValue, openSecret, unknown } from '../sdk/secrets.ts'
import { AttemptAborted, type HeldTask } from './held-task.ts'
import { readSecrets } from './read-secrets.ts'
import { AwsSecrets, environmentSecret, type SourcedSecret } from './secret-sources.ts'

/** A value that was found is given so long without a look at its source: a rotation reaches every worker within this time. */
const freshMs = 10_000

export interface SecretReadsParts {
  readonly caller: Caller
  readonly key: WorkerKey
  readonly cipher: Cipher | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly monotonic: () => number
}

interface Kept {
  readonly found: Promise<SourcedSecret>
  readonly at: number
}

export class SecretReads {
  readonly #parts: SecretReadsParts
  readonly #kept = new Map<string, Kept>()
  /** What is on record of each attempt. */
  readonly #recorded = new WeakMap<HeldTask, Map<string, Promise<boolean>>>()
  readonly #aws = new AwsSecrets()

  constructor(parts: SecretReadsParts) {
    this.#parts = parts
  }

  /** @throws MillraceError secret_unknown, secret_unavailable, secret_invalid, encryption_key_missing, decryption_failed */
  async read(task: HeldTask, name: string): Promise<string> {
    if (task.lost) throw new AttemptAborted('the attempt no longer holds its step, and gets no secret')
    const secret = await this.#find(name)
    checkValue(name, secret.value)
    readSecrets.add(name, secret.value)
    if (!(await this.#record(task, name, secret)))
      throw new AttemptAborted('the attempt no longer holds its step, and gets no secret')
    return secret.value
  }

  /** What a trigger is configured with: no run reads it, so nothing is put on record. Throws as `read` does. */
  async readForTrigger(name: string): Promise<string> {
    const secret = await this.#find(name)
    checkValue(name, secret.value)
    readSecrets.add(name, secret.value)
    return secret.value
  }

  close(): Promise<void> {
    return this.#aws.close()
  }

  #find(name: string): Promise<SourcedSecret> {
    const now = this.#parts.monotonic()
    const kept = this.#kept.get(name)
    if (kept !== undefined && now - kept.at < freshMs) return kept.found
    const found = this.#look(name)
    this.#kept.set(name, { found, at: now })
    found.catch(() => {
      if (this.#kept.get(name)?.found === found) this.#kept.delete(name)
    })
    return found
  }

  async #look(name: string): Promise<SourcedSecret> {
    const found = await findSecret(this.#parts.caller, String(name))
    if (found === undefined) throw unknown(String(name))
    const { source, reference, version, value } = found
    if (source === 'aws') return this.#aws.read(name, reference ?? '')
    const own = { version: String(version), changedAt: null }
    if (source === 'environment')
      return { ...own, value: environmentSecret(name, reference ?? '', this.#parts.environment) }
    const { cipher } = this.#parts
    if (cipher !== undefined) return { ...own, value: openSecret(cipher, { name, version, value }) }
    throw new MillraceError(
      'encryption_key_missing',
      `Secret '${name}' is encrypted, and this worker has no key: neither encryptionKeys nor ${keysVariable} gives one.`,
      { fields: { name } },
    )
  }

  /** Once for each attempt and version, whatever it reads at the same time. */
  #record(task: HeldTask, name: string, { version, changedAt }: SourcedSecret): Promise<boolean> {
    const reads = this.#recorded.get(task) ?? new Map<string, Promise<boolean>>()
    this.#recorded.set(task, reads)
    const read = `${name} ${version}`
    let recorded = reads.get(read)
    if (recorded === undefined) {
      const { caller, key } = this.#parts
      const held = { taskId: task.taskId, stepId: task.step.id, attempt: task.attempt }
      recorded = recordSecretRead(caller, key, held, { name, version, changedAt })
      reads.set(read, recorded)
      recorded.catch(() => reads.delete(read))
    }
    return recorded
  }
}
