// Owns who asks by an API key. A key that is known is remembered for half a second, so that a revoked one is refused by every server within one.
import { timingSafeEqual } from 'node:crypto'
import type { Actor, Scope } from '../api/access.ts'
import { findApiKeys, type FoundApiKey } from '../db/api-keys.ts'
import type { Caller } from '../db/call.ts'
import { digestOfKey, prefixOfKey } from '../sdk/api-keys.ts'
import type { Authenticator, SignedIn } from './authenticate.ts'
import { bearerOf, refused } from './bearer.ts'
import { KeyLookups } from './key-lookups.ts'
import { isToken } from './run-tokens.ts'
import { ShortMemory } from './short-memory.ts'

const rememberedMs = 500
const rememberedMax = 10_000

export interface KeyAuthenticatorParts {
  readonly reads: Caller
  /** Hears of each use of a key. */
  readonly used: (id: string, address: string | undefined) => void
}

/** Takes whatever comes as Bearer and is no token. @throws MillraceError not_signed_in, in its authenticator */
export function keyAuthenticator({ reads, used }: KeyAuthenticatorParts): Authenticator {
  const memory = new ShortMemory<FoundApiKey | undefined>({ ms: rememberedMs, entriesMax: rememberedMax })
  const lookups = new KeyLookups((prefixes: readonly string[]) => keysOf(reads, prefixes))
  return async (request, origin) => {
    const shown = bearerOf(request)
    if (shown === undefined || isToken(shown)) return undefined
    const prefix = prefixOfKey(shown)
    if (prefix === undefined) throw refused()
    const found = await memory.get(prefix, () => lookups.find(prefix))
    // A digest is made and compared in any case.
    const isRight = timingSafeEqual(digestOfKey(shown), found?.digest ?? nothing)
    if (found === undefined || !isRight) throw refused()
    used(found.id, origin.address)
    return signedInBy(found)
  }
}

const nothing = new Uint8Array(32)

async function keysOf(
  reads: Caller,
  prefixes: readonly string[],
): Promise<ReadonlyArray<FoundApiKey | undefined>> {
  const found = await findApiKeys(reads, prefixes)
  const byPrefix = new Map(found.map((key) => [key.prefix, key]))
  return prefixes.map((prefix) => byPrefix.get(prefix))
}

function signedInBy(key: FoundApiKey): SignedIn {
  const actor: Actor = {
    kind: 'key',
    id: key.id,
    name: key.service_account === null ? key.name : `${key.service_account}/${key.name}`,
    role: key.role,
    scopes: key.scopes as Scope[] | null,
    tenant: key.tenant,
    pipelines: key.pipelines,
    run: null,
    payloads: key.payloads,
    ...(key.agent === null ? {} : { agent: key.agent }),
  }
  const { requests_per_hour: requestsPerHour, expires_at: expiresAt, warning } = key
  return { actor, ambient: false, key: { requestsPerHour, expiresAt, warning } }
}
