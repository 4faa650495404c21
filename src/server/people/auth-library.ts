// Owns how the sign-in library (better-auth) is set up: it checks passwords and the provider's answers and signs cookies; all else is ours.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Caller } from '../../db/call.ts'
import type { FoundSession } from '../../db/person-sessions.ts'
import type { ServerLog } from '../server-log.ts'
import { createAuthStore } from './auth-store.ts'
import { createClaimsReader, discoveryAddress } from './oidc-claims.ts'
import { hashPassword, isPassword } from './password.ts'
import type { CookieNames } from './session-cookie.ts'

/** A provider that speaks OpenID Connect. */
export interface OidcProvider {
  /** The address below which it tells of itself (OpenID Connect Discovery 1.0 §4). */
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
}

export interface AuthLibraryOptions {
  readonly caller: Caller
  readonly url: string
  readonly secret: string
  readonly cookies: CookieNames
  readonly sessionSeconds: number
  readonly oidc?: OidcProvider | undefined
  readonly log: ServerLog
}

/** The session that a browser was in when a sign-in began. */
export type SessionBefore = Pick<FoundSession, 'session_id' | 'person_id' | 'email'>

/** Each answers as the library does: with the cookies that it sets, and where a browser goes next. */
export interface AuthLibrary {
  signIn(
    credentials: { readonly email: string; readonly password: string },
    headers: Headers,
  ): Promise<Response>
  beginProviderSignIn(headers: Headers, before: SessionBefore | undefined): Promise<Response>
  /** Brings back in which session it began: the provider's redirect does not come with that one's cookie, but with the sealed one. */
  finishProviderSignIn(
    query: string,
    headers: Headers,
  ): Promise<{ readonly response: Response; readonly before: SessionBefore | undefined }>
}

type ClaimsReader = ReturnType<typeof createClaimsReader>

/** What is kept of a sign-in while it is under way. */
interface SignInUnderWay {
  password?: string
  before?: SessionBefore | undefined
}

/** The header in which we tell the library the sender's address: it makes up all other headers from none. */
export const senderHeader = 'x-millrace-sender'

/** Loaded only where people sign in, because it is large. */
export async function openAuthLibrary(options: AuthLibraryOptions): Promise<AuthLibrary> {
  const [{ betterAuth }, { genericOAuth }, { getOAuthState }] = await Promise.all([
    import('better-auth/minimal'),
    import('better-auth/plugins/generic-oauth'),
    import('better-auth/api'),
  ])
  const { url, secret, cookies, sessionSeconds, oidc, log } = options
  // The library tells who signed in, and neither by what nor from where: so each sign-in keeps that for its session.
  const underWay = new AsyncLocalStorage<SignInUnderWay>()
  const store = createAuthStore(options.caller, sessionSeconds, () => underWay.getStore()?.password)
  // What it sealed it tells only while it works on what came back.
  const keepingBefore = (read: ClaimsReader): ClaimsReader => {
    return async (tokens) => {
      const own = underWay.getStore()
      if (own !== undefined) own.before = (await getOAuthState())?.['before'] as SignInUnderWay['before']
      return read(tokens)
    }
  }
  const basePath = `${new URL(url).pathname.replace(/\/$/, '')}/auth`
  const auth = betterAuth({
    appName: 'millrace',
    baseURL: new URL(url).origin,
    basePath,
    secret,
    database: () => store as never,
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    // What is no refusal is ours to log, and to answer.
    onAPIError: { throw: true },
    logger: { log: (level, message) => logLine(log, level, message) },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      password: {
        hash: hashPassword,
        verify: ({ hash, password }) => {
          const own = underWay.getStore()
          if (own !== undefined) own.password = hash
          return isPassword(hash, password)
        },
      },
    },
    session: { expiresIn: sessionSeconds, disableSessionRefresh: true },
    account: {
      // Sealed in the browser's cookie: nothing of a sign-in that nobody finishes stays behind.
      storeStateStrategy: 'cookie',
      updateAccountOnSignIn: false,
      // People are written down by admins alone, so that nobody can have taken an address that isn't theirs.
      accountLinking: { enabled: true, requireLocalEmailVerified: false, trustedProviders: [] },
    },
    advanced: {
      useSecureCookies: false,
      ipAddress: { ipAddressHeaders: [senderHeader] },
      defaultCookieAttributes: { secure: cookies.secure, httpOnly: true, path: '/' },
      cookies: {
        session_token: { name: cookies.session, attributes: { sameSite: 'strict' } },
        oauth_state: { name: cookies.state, attributes: { sameSite: 'lax' } },
      },
    },
    plugins: [
      genericOAuth({
        config:
          oidc === undefined
            ? []
            : [
                {
                  providerId: 'oidc',
                  discoveryUrl: discoveryAddress(oidc.issuer),
                  clientId: oidc.clientId,
                  clientSecret: oidc.clientSecret,
                  scopes: ['openid', 'email', 'profile'],
                  pkce: true,
                  disableSignUp: true,
                  getUserInfo: keepingBefore(believed(createClaimsReader(oidc), log)),
                },
              ],
      }),
    ],
  })
  return {
    signIn: (body, headers) =>
      underWay.run({}, () => auth.api.signInEmail({ body, headers, asResponse: true })),
    beginProviderSignIn: (headers, before) =>
      auth.api.signInWithOAuth2({
        body: {
          providerId: 'oidc',
          callbackURL: `${url}/`,
          errorCallbackURL: `${url}/`,
          additionalData: { before: before && sealedOf(before) },
        },
        headers,
        asResponse: true,
      }),
    finishProviderSignIn: (query, headers) => {
      const own: SignInUnderWay = {}
      const request = new Request(`${url}/auth/oauth2/callback/oidc${query}`, { headers })
      return underWay.run(own, async () => ({ response: await auth.handler(request), before: own.before }))
    },
  }
}

/** As little as it takes to end it. */
function sealedOf({ session_id, person_id, email }: SessionBefore): SessionBefore {
  return { session_id, person_id, email }
}

/** Nobody, where what the provider says can't be believed; of what it said, the log gets nothing. */
function believed(read: ClaimsReader, log: ServerLog): ClaimsReader {
  return (tokens) =>
    read(tokens).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message.slice(0, 200) : ''
      log({ level: 'warn', event: 'sign_in.provider_unbelieved', reason })
      return null
    })
}

// Its own words alone: what it logs beside them may hold what a provider said of somebody.
function logLine(log: ServerLog, level: string, message: string): void {
  if (level === 'error') log({ level, event: 'sign_in.library', message: message.slice(0, 200) })
}
