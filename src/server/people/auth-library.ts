// Owns how the sign-in library (better-auth) is set up: it checks passwords and the provider's answers and signs cookies; all else is ours.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Caller } from '../../db/call.ts'
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

/** Each answers as the library does: with the cookies that it sets, and where a browser goes next. */
export interface AuthLibrary {
  signIn(
    credentials: { readonly email: string; readonly password: string },
    headers: Headers,
  ): Promise<Response>
  beginProviderSignIn(headers: Headers): Promise<Response>
  finishProviderSignIn(query: string, headers: Headers): Promise<Response>
}

/** The header in which we tell the library the sender's address: it makes up all other headers from none. */
export const senderHeader = 'x-millrace-sender'

/** Loaded only where people sign in, because it is large. */
export async function openAuthLibrary(options: AuthLibraryOptions): Promise<AuthLibrary> {
  const [{ betterAuth }, { genericOAuth }] = await Promise.all([
    import('better-auth/minimal'),
    import('better-auth/plugins/generic-oauth'),
  ])
  const { url, secret, cookies, sessionSeconds, oidc, log } = options
  // The library tells who signed in, and not by what: so each sign-in keeps that for its session.
  const compared = new AsyncLocalStorage<{ password?: string }>()
  const store = createAuthStore(options.caller, sessionSeconds, () => compared.getStore()?.password)
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
          const own = compared.getStore()
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
                  getUserInfo: believed(createClaimsReader(oidc), log),
                },
              ],
      }),
    ],
  })
  return {
    signIn: (body, headers) =>
      compared.run({}, () => auth.api.signInEmail({ body, headers, asResponse: true })),
    beginProviderSignIn: (headers) =>
      auth.api.signInWithOAuth2({
        body: { providerId: 'oidc', callbackURL: `${url}/`, errorCallbackURL: `${url}/` },
        headers,
        asResponse: true,
      }),
    finishProviderSignIn: (query, headers) =>
      auth.handler(new Request(`${url}/auth/oauth2/callback/oidc${query}`, { headers })),
  }
}

/** Nobody, where what the provider says can't be believed; of what it said, the log gets nothing. */
function believed(
  read: ReturnType<typeof createClaimsReader>,
  log: ServerLog,
): ReturnType<typeof createClaimsReader> {
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
