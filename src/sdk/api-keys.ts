// What admins do with API keys: make, list, rotate and revoke them. The key itself is shown once, to whoever made it; the database keeps its SHA-256.
import { createHash, randomBytes } from 'node:crypto'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { Role } from '../core/role.ts'
import { uuidV7 } from '../core/uuid.ts'
import {
  type ApiKeyFilter,
  type ApiKeyRow,
  createApiKey,
  type KeyAgent,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
} from '../db/api-keys.ts'
import type { Caller } from '../db/call.ts'

export interface ApiKeyOptions {
  readonly name: string
  readonly role: Role
  /** What it may do; all that its role has unless told. */
  readonly scopes?: readonly string[] | undefined
  /** It sees and touches nothing else. */
  readonly tenant?: string | undefined
  readonly pipelines?: readonly string[] | undefined
  /** Whether it sees inputs and outputs. No unless told. */
  readonly payloads?: boolean | undefined
  /** An agent acts by it. */
  readonly agent?: KeyAgent | undefined
  /** Its own limit; that of the server unless told. */
  readonly requestsPerHour?: number | undefined
  readonly serviceAccount?: string | undefined
  /** Whose key it is, by the id of a person. */
  readonly person?: string | undefined
  /** How long it is taken; as long as a key may live unless told, which is 90 days unless an admin has changed that. */
  readonly livesFor?: Duration | undefined
}

/** A key that was just made. */
export interface MadeApiKey {
  readonly id: string
  readonly prefix: string
  /** The key itself, which nobody can show again; null where whoever asked made it. */
  readonly key: string | null
  readonly expiresAt: Date
}

export interface RotationOptions {
  /** How long the old key is taken beside the new one, at most 30 days. A day unless told. */
  readonly overlap?: Duration | undefined
  readonly livesFor?: Duration | undefined
}

const overlapMs = 86_400_000

export class ApiKeys {
  readonly #caller: () => Promise<Caller>

  constructor(caller: () => Promise<Caller>) {
    this.#caller = caller
  }

  /** @param own a key that whoever asks made @throws MillraceError argument_invalid, service_account_unknown */
  async create(options: ApiKeyOptions, own?: StoredKey): Promise<MadeApiKey> {
    const made = keyOf(own)
    const scopes = scopesOf(options)
    const expiresAt = await createApiKey(await this.#caller(), {
      ...made.stored,
      name: options.name,
      role: options.role,
      scopes,
      tenant: options.tenant ?? null,
      pipelines: options.pipelines ?? null,
      payloads: scopes?.includes('payloads:read') ?? options.payloads === true,
      agent: options.agent ?? null,
      requestsPerHour: options.requestsPerHour ?? null,
      serviceAccount: options.serviceAccount ?? null,
      person: options.person ?? null,
      livesSeconds: secondsOf(options.livesFor, 'livesFor'),
    })
    return { id: made.stored.id, prefix: made.stored.prefix, key: made.key, expiresAt }
  }

  /** Makes a key in the place of another one; both are taken until the overlap is over. @throws MillraceError api_key_unknown, api_key_over */
  async rotate(
    id: string,
    options: RotationOptions = {},
    own?: StoredKey,
  ): Promise<MadeApiKey & { readonly oldExpiresAt: Date }> {
    const made = keyOf(own)
    const { id: newId, prefix, digest } = made.stored
    const rotated = await rotateApiKey(await this.#caller(), {
      id,
      newId,
      prefix,
      digest,
      overlapSeconds: Math.round(durationMs(options.overlap ?? overlapMs, 'The overlap of a key') / 1_000),
      livesSeconds: secondsOf(options.livesFor, 'livesFor'),
    })
    return {
      id: newId,
      prefix,
      key: made.key,
      expiresAt: rotated.expires_at,
      oldExpiresAt: rotated.old_expires_at,
    }
  }

  /** Every server refuses it within a second. False where it was revoked already. @throws MillraceError api_key_unknown */
  async revoke(id: string, reason?: string): Promise<boolean> {
    return revokeApiKey(await this.#caller(), id, reason ?? null)
  }

  /** The newest first. */
  async list(filter: ApiKeyFilter): Promise<ApiKeyRow[]> {
    return listApiKeys(await this.#caller(), filter)
  }

  /** @throws MillraceError api_key_unknown */
  async show(id: string): Promise<ApiKeyRow> {
    const [found] = await this.list({ id, limit: 1 })
    if (found === undefined) throw new MillraceError('api_key_unknown', `There is no key ${id}.`)
    return found
  }
}

/** The right to see payloads is a scope as well: whoever has one has both. */
function scopesOf({ scopes, payloads }: ApiKeyOptions): readonly string[] | null {
  if (scopes === undefined) return null
  return [...new Set(payloads === true ? [...scopes, 'payloads:read'] : scopes)]
}

function secondsOf(duration: Duration | undefined, what: string): number | null {
  return duration === undefined ? null : Math.round(durationMs(duration, `The ${what} of a key`) / 1_000)
}

const pattern = /^(mr_[0-9a-f]{12})_[A-Za-z0-9_-]{43}$/

/** The beginning of a key, by which it is found; undefined for what has not the shape of one. */
export function prefixOfKey(key: string): string | undefined {
  return pattern.exec(key)?.[1]
}

/** SHA-256 of a key: enough where 256 bits of it are random. */
export function digestOfKey(key: string): Uint8Array {
  return createHash('sha256').update(key).digest()
}

/** What is kept of a key. */
export interface StoredKey {
  readonly id: string
  readonly prefix: string
  readonly digest: Uint8Array
}

function keyOf(own: StoredKey | undefined): { readonly key: string | null; readonly stored: StoredKey } {
  if (own !== undefined) return { key: null, stored: own }
  const prefix = `mr_${randomBytes(6).toString('hex')}`
  const key = `${prefix}_${randomBytes(32).toString('base64url')}`
  return { key, stored: { id: uuidV7(Date.now(), randomBytes(10)), prefix, digest: digestOfKey(key) } }
}
