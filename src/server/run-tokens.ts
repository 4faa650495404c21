// Owns the tokens with which a browser follows one run for a short time: JSON Web Tokens (RFC 7519), signed with ES256. The private key never leaves this
// process and is changed twice a day; the database holds the public one, so that every server, and this one after a restart, takes the token.
import { exportJWK, generateKeyPair, importJWK, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Actor } from '../api/access.ts'
import { uuid } from '../api/values.ts'
import { MillraceError } from '../core/errors.ts'
import { uuidV7 } from '../core/uuid.ts'
import type { Caller } from '../db/call.ts'
import { type AskedTokenKey, findTokenKeys, publishTokenKey, type PublicKey } from '../db/token-keys.ts'
import type { Authenticator } from './authenticate.ts'
import { bearerOf, refused } from './bearer.ts'
import { KeyLookups } from './key-lookups.ts'
import { ShortMemory } from './short-memory.ts'

const tokenSecondsMax = 3_600
/** So much the clocks of two servers may differ. */
const clockSecondsApart = 30
const pairMs = 12 * 3_600_000
const rememberedMs = 500
const rememberedMax = 1_000
const audience = 'millrace'
const algorithm = 'ES256'

type SigningKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']

interface Pair {
  readonly id: string
  readonly key: SigningKey
  readonly madeAtMs: number
}

/** Whose it is says who made it: what a token may do ends with them. */
const claims = z.object({
  run: uuid,
  tenant: z.string().nullable(),
  payloads: z.boolean(),
  key: uuid.optional(),
  person: uuid.optional(),
  name: z.string(),
})

export interface RunTokensParts {
  readonly caller: Caller
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: (bytes: number) => Uint8Array
}

export interface AskedToken {
  readonly run: string
  readonly seconds: number
  readonly payloads: boolean
}

export class RunTokens {
  readonly #parts: RunTokensParts
  readonly #memory = new ShortMemory<PublicKey | undefined>({ ms: rememberedMs, entriesMax: rememberedMax })
  readonly #lookups: KeyLookups<AskedTokenKey, PublicKey>
  #pair: Promise<Pair> | undefined

  constructor(parts: RunTokensParts) {
    this.#parts = parts
    this.#lookups = new KeyLookups((all) => findTokenKeys(parts.caller, all))
  }

  /** A token for one run. @throws MillraceError not_allowed where one token asks for the next */
  async sign(
    actor: Actor,
    { run, seconds, payloads }: AskedToken,
  ): Promise<{ readonly token: string; readonly expiresAt: Date }> {
    if (actor.kind === 'token')
      throw new MillraceError('not_allowed', 'You may not do this. A token makes no further one.')
    const pair = await this.#currentPair()
    const nowSeconds = Math.floor(this.#parts.now() / 1_000)
    const expiresAt = nowSeconds + seconds
    const made: z.infer<typeof claims> = {
      run,
      tenant: actor.tenant,
      payloads: payloads && actor.payloads,
      name: actor.name,
      ...(actor.kind === 'key' ? { key: actor.id } : {}),
      ...(actor.kind === 'person' ? { person: actor.id } : {}),
    }
    const token = await new SignJWT({ ...made })
      .setProtectedHeader({ alg: algorithm, kid: pair.id })
      .setIssuedAt(nowSeconds)
      .setExpirationTime(expiresAt)
      .setAudience(audience)
      .sign(pair.key)
    return { token, expiresAt: new Date(expiresAt * 1_000) }
  }

  /** @throws MillraceError not_signed_in, in its authenticator, for a token that is wrong, expired, or made by whom nobody lets in any more */
  authenticator(): Authenticator {
    return async (request) => {
      const shown = bearerOf(request)
      if (shown === undefined || !isToken(shown)) return undefined
      return { actor: await this.#actorOf(shown), ambient: false }
    }
  }

  async #actorOf(token: string): Promise<Actor> {
    const said = await this.#verified(token)
    return {
      kind: 'token',
      id: said.key ?? said.person ?? said.name,
      name: `of ${said.name}`,
      role: 'viewer',
      scopes: said.payloads ? ['runs:read', 'payloads:read'] : ['runs:read'],
      tenant: said.tenant,
      pipelines: null,
      run: said.run,
      payloads: said.payloads,
    }
  }

  async #verified(token: string): Promise<z.infer<typeof claims>> {
    const { kid, said } = readToken(token)
    // Asked with what the token says of itself, which is believed only once its signature has been checked with the answer.
    const { key, person, payloads } = said
    const publicKey = await this.#memory.get(`${kid} ${key ?? ''} ${person ?? ''} ${payloads}`, () =>
      this.#lookups.find({ id: kid, key, person, payloads }),
    )
    if (publicKey === undefined) throw refused()
    try {
      const nowMs = this.#parts.now()
      const { payload } = await jwtVerify(token, await importJWK(publicKey, algorithm), {
        algorithms: [algorithm],
        audience,
        currentDate: new Date(nowMs),
        requiredClaims: ['exp', 'iat'],
      })
      checkLife(payload, nowMs)
      return said
    } catch {
      throw refused()
    }
  }

  #currentPair(): Promise<Pair> {
    const making = (this.#pair ?? this.#makePair()).then((pair) =>
      this.#parts.now() - pair.madeAtMs < pairMs ? pair : this.#makePair(),
    )
    this.#pair = making
    making.catch(() => {
      if (this.#pair === making) this.#pair = undefined
    })
    return making
  }

  async #makePair(): Promise<Pair> {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: false })
    const { now, random, caller } = this.#parts
    const madeAtMs = now()
    const id = uuidV7(madeAtMs, random(10))
    const { kty, crv, x, y } = await exportJWK(publicKey)
    await publishTokenKey(caller, id, { kty, crv, x, y }, pairMs / 1_000 + 2 * tokenSecondsMax)
    return { id, key: privateKey, madeAtMs }
  }
}

/**
 * A token lives for as long as its own two times say, an hour at most. It may come from a server whose clock is a little ahead of this one: the library would refuse
 * that if it were told the age, and an end that it is lenient with would be a later one. @throws MillraceError not_signed_in
 */
function checkLife({ iat, exp }: JWTPayload, nowMs: number): void {
  if (exp! - iat! > tokenSecondsMax || iat! - nowMs / 1_000 > clockSecondsApart) throw refused()
}

/** Three parts with points between them, of which the first is a JSON object. */
export function isToken(shown: string): boolean {
  return /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(shown)
}

/** What a token says, of which nothing is proved yet. @throws MillraceError not_signed_in */
function readToken(token: string): { readonly kid: string; readonly said: z.infer<typeof claims> } {
  const [head, body] = token.split('.').map(parsed)
  const kid = z.object({ kid: uuid }).safeParse(head).data?.kid
  const said = claims.safeParse(body).data
  if (kid === undefined || said === undefined) throw refused()
  return { kid, said }
}

function parsed(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}
