// Owns what a provider says of whoever signed in there, and the check that it was said by that provider, to this server, now.
import {
  createRemoteJWKSet,
  customFetch,
  type FetchImplementation,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import { z } from 'zod'

export interface OidcIssuer {
  readonly issuer: string
  readonly clientId: string
}

/** What comes with the code that the provider gave. */
export interface OidcTokens {
  readonly idToken?: string | undefined
  readonly accessToken?: string | undefined
}

/** Who it was; null where the provider says too little to know somebody by. */
export type OidcClaims = { id: string; email: string; emailVerified: boolean; name: string } | null

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url(), userinfo_endpoint: z.url().optional() })
const claims = z.object({
  sub: z.string().min(1).max(255),
  email: z.email().max(254).optional(),
  // As text at some providers.
  email_verified: z.union([z.boolean(), z.stringbool()]).optional(),
  name: z.string().optional(),
})
const timeoutMs = 5_000
const bytesMax = 100_000

/** Where a provider tells of itself (OpenID Connect Discovery 1.0 §4). */
export function discoveryAddress(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
}

/** Reads an ID token as OpenID Connect Core 1.0 §3.1.3.7 says; what it lacks is asked of the provider, for the same subject (§5.3.2). */
export function createClaimsReader({
  issuer,
  clientId,
}: OidcIssuer): (tokens: OidcTokens) => Promise<OidcClaims> {
  let known: Promise<{ readonly keys: JWTVerifyGetKey; readonly userinfo: string | undefined }> | undefined
  const provider = () => {
    known ??= discover(issuer).catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
  return async ({ idToken, accessToken }) => {
    if (idToken === undefined) return null
    const { keys, userinfo } = await provider()
    const { payload } = await jwtVerify(idToken, keys, {
      issuer: [issuer, `${issuer.replace(/\/$/, '')}/`],
      audience: clientId,
      requiredClaims: ['sub', 'exp', 'iat'],
    })
    const told = claims.parse(payload)
    const all =
      told.email === undefined && userinfo !== undefined && accessToken !== undefined
        ? { ...(await askUserinfo(userinfo, accessToken, told.sub)) }
        : told
    if (all.email === undefined) return null
    return {
      // A subject is somebody's name at its issuer alone (OpenID Connect Core 1.0 §5.7).
      id: `${issuer.replace(/\/$/, '')} ${told.sub}`,
      email: all.email,
      emailVerified: all.email_verified === true,
      name: all.name ?? all.email,
    }
  }
}

async function discover(issuer: string): Promise<{ keys: JWTVerifyGetKey; userinfo: string | undefined }> {
  const { jwks_uri, userinfo_endpoint } = discovery.parse(await ask(discoveryAddress(issuer)))
  return {
    keys: createRemoteJWKSet(new URL(jwks_uri), { timeoutDuration: timeoutMs, [customFetch]: fetchKeys }),
    userinfo: userinfo_endpoint,
  }
}

/** Says no more of an answer than the library looks at: its status, and its bytes up to the bound. */
const fetchKeys: FetchImplementation = async (address, options) => {
  const response = await fetch(address, options)
  return new Response(await readBytes(response), { status: response.status })
}

async function askUserinfo(
  address: string,
  accessToken: string,
  subject: string,
): Promise<z.output<typeof claims>> {
  const told = claims.parse(await ask(address, { authorization: `Bearer ${accessToken}` }))
  if (told.sub !== subject) throw new Error('The provider answered about somebody else.')
  return told
}

/** Read to its bound only, and quoted in no error: what a provider sends may be anything. */
async function ask(address: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const response = await fetch(address, { headers, signal: AbortSignal.timeout(timeoutMs) })
  if (!response.ok) {
    await response.body?.cancel()
    throw new Error(`The provider answered with status ${response.status}.`)
  }
  const bytes = await readBytes(response)
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new Error('The provider answered with something that is no JSON.')
  }
}

async function readBytes({ body }: Response): Promise<Buffer<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength
    if (bytes > bytesMax) throw new Error(`The provider answered with more than ${bytesMax} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
