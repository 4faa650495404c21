// Owns the live secrets of webhooks in this process: read together, kept for less than a second, so that what is revoked is refused within one.
import { isEnvelope, type Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import { keysVariable } from '../core/key-ring.ts'
import { type Scheme, secretFault } from '../core/webhook-scheme.ts'
import type { Caller } from '../db/call.ts'
import { readWebhookSecrets, type WebhookSecretRow } from '../db/webhooks.ts'
import { openSecret } from './secrets.ts'

const keptMs = 800

interface Kept {
  readonly readAtMs: number
  readonly values: Promise<string[]>
}

export class WebhookSecrets {
  readonly #caller: () => Promise<Caller>
  readonly #cipher: () => Cipher | undefined
  readonly #kept = new Map<string, Kept>()

  constructor(caller: () => Promise<Caller>, cipher: () => Cipher | undefined) {
    this.#caller = caller
    this.#cipher = cipher
  }

  /**
   * The values that count now: of each secret the current version, and the one before it while its overlap lasts.
   *
   * @throws MillraceError secret_unknown, secret_unavailable, secret_invalid, encryption_key_missing
   */
  read(names: readonly string[], scheme: Scheme): Promise<string[]> {
    // By the form as well: what is a secret of one scheme may be none of another.
    const place = [scheme.kind === 'hmac' ? scheme.secret : scheme.kind, ...names].join('\0')
    const kept = this.#kept.get(place)
    // A clock that no setting of the machine's time moves.
    const nowMs = performance.now()
    if (kept !== undefined && nowMs - kept.readAtMs < keptMs) return kept.values
    const values = this.#read(names, scheme)
    this.#kept.set(place, { readAtMs: nowMs, values })
    values.catch(() => this.#kept.delete(place))
    return values
  }

  async #read(names: readonly string[], scheme: Scheme): Promise<string[]> {
    const rows = await readWebhookSecrets(await this.#caller(), names)
    const missing = names.find((name) => rows.every((row) => row.name !== name))
    if (missing !== undefined)
      throw new MillraceError('secret_unknown', `There is no secret '${missing}'.`, {
        fields: { name: missing },
        hint: 'Make it with: npx millrace webhook rotate NAME',
      })
    return rows.map((row) => this.#valueOf(row, scheme))
  }

  #valueOf(row: WebhookSecretRow, scheme: Scheme): string {
    const value = this.#storedValue(row)
    const fault = secretFault(scheme, value)
    if (fault === undefined) return value
    throw new MillraceError(
      'secret_invalid',
      `Secret '${row.name}' can't prove who sent something: ${fault}.`,
      { fields: { name: row.name } },
    )
  }

  #storedValue({ name, source, reference, version, value }: WebhookSecretRow): string {
    if (source === 'environment') return process.env[reference ?? ''] ?? ''
    if (source === 'aws')
      throw new MillraceError(
        'secret_unavailable',
        `Secret '${name}' can't be read: webhooks take secrets that lie in our own table or in the environment, and this one lies in AWS.`,
        { fields: { name } },
      )
    const cipher = this.#cipher()
    if (cipher === undefined || !isEnvelope(value))
      throw new MillraceError(
        'encryption_key_missing',
        `Secret '${name}' can't be read without a key: neither encryptionKeys nor ${keysVariable} gives one.`,
        { fields: { name } },
      )
    return openSecret(cipher, { name, version, value })
  }
}
