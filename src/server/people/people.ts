// Owns how people are known to the server: what it is told of them, their sessions, and signing in and out.
import type { Actor } from '../../api/access.ts'
import { scopesOf } from '../../api/access.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Caller } from '../../db/call.ts'
import { findSession, type FoundSession, readSession } from '../../db/person-sessions.ts'
import type { Authenticator } from '../authenticate.ts'
import type { Origin } from '../origin.ts'
import type { ServerLog } from '../server-log.ts'
import {
  type AuthLibrary,
  type OidcProvider,
  openAuthLibrary,
  senderHeader,
  type SessionBefore,
} from './auth-library.ts'
import { type BreachCheck, createBreachCheck } from './breach.ts'
import { hashToken } from './link.ts'
import { cookieNames, forgottenCookie, sessionToken } from './session-cookie.ts'
import { createSignInLock, type SignInLock } from './sign-in-lock.ts'

export interface PeopleOptions {
  /** Signs sessions: at least 32 random characters, the same for each server of a database. */
  readonly secret: string
  readonly oidc?: OidcProvider | undefined
  /** Whether new passwords are looked up among leaked ones; true by default. A text is the address of a mirror of the public service. */
  readonly breachCheck?: boolean | string | undefined
  /** Seconds after which a session ends: without a request, 8 hours by default; in any case, 7 days by default. */
  readonly sessions?: { readonly idleSeconds?: number; readonly absoluteSeconds?: number } | undefined
  /** Tries to sign in that may fail in a while, for a person and for a sender: 5 in 900 s by default. */
  readonly signIn?: { readonly triesMax?: number; readonly windowSeconds?: number } | undefined
}

export interface People {
  /** Under which they reach the server. */
  readonly url: string
  readonly idleSeconds: number
  readonly authenticate: Authenticator
  readonly isBreached: BreachCheck
  readonly lock: SignInLock
  /** Whether there is a provider to sign in by. */
  readonly hasProvider: boolean
  /** The session that a request shows; undefined for none. */
  sessionOf(request: Request): Promise<FoundSession | undefined>
  /** Answers with the cookies of a new session. @throws MillraceError sign_in_failed, sign_in_locked */
  signIn(credentials: { email: string; password: string }, origin: Origin): Promise<Headers>
  /** Where to go, with the cookie by which whoever comes back is known. @throws MillraceError sign_in_failed */
  beginProviderSignIn(
    origin: Origin,
    before: SessionBefore | undefined,
  ): Promise<{ readonly location: string; readonly headers: Headers }>
  /** Answers with the cookies of a new session, and with the session in which it began. @throws MillraceError sign_in_failed */
  finishProviderSignIn(
    request: Request,
    origin: Origin,
  ): Promise<{ readonly headers: Headers; readonly before: SessionBefore | undefined }>
  /** Makes a browser forget its session. */
  readonly forgottenCookie: string
}

/** In characters. */
export const secretLengthMin = 32
export const idleSecondsDefault = 8 * 3_600
const absoluteSecondsDefault = 7 * 86_400
const triesMaxDefault = 5
const windowSecondsDefault = 900

interface PeopleRoom {
  readonly reads: Caller
  readonly log: ServerLog
}

/**
 * @param url with the path below which the server is mounted
 * @throws MillraceError server_secret_missing
 */
export async function openPeople(room: PeopleRoom, url: string, options: PeopleOptions): Promise<People> {
  const { secret, sessions = {}, signIn = {}, breachCheck = true } = options
  if (secret.length < secretLengthMin)
    throw new MillraceError(
      'server_secret_missing',
      `The server can't sign people in: its secret has fewer than ${secretLengthMin} characters.`,
    )
  const cookies = cookieNames(url)
  const idleSeconds = sessions.idleSeconds ?? idleSecondsDefault
  const library = await openAuthLibrary({
    caller: room.reads,
    url,
    secret,
    cookies,
    sessionSeconds: sessions.absoluteSeconds ?? absoluteSecondsDefault,
    oidc: options.oidc,
    log: room.log,
  })
  const lock = createSignInLock(room.reads, {
    secret,
    triesMax: signIn.triesMax ?? triesMaxDefault,
    windowSeconds: signIn.windowSeconds ?? windowSecondsDefault,
  })
  const lookedUp = async (request: Request, look: typeof findSession): Promise<FoundSession | undefined> => {
    const token = sessionToken(request, cookies, secret)
    return token === undefined ? undefined : look(room.reads, hashToken(token), idleSeconds)
  }
  return {
    url,
    idleSeconds,
    lock,
    sessionOf: (request) => lookedUp(request, findSession),
    isBreached:
      breachCheck === false
        ? () => Promise.resolve(false)
        : createBreachCheck(room.log, breachCheck === true ? undefined : breachCheck),
    hasProvider: options.oidc !== undefined,
    // A session that has ended is none: whoever has one must be able to sign in anew.
    authenticate: async (request, _, isAgain) => {
      const session = await lookedUp(request, isAgain === true ? readSession : findSession)
      return session === undefined ? undefined : { actor: actorOf(session), ambient: true }
    },
    signIn: (credentials, origin) =>
      signInBy(library, lock, credentials, origin).catch((error: unknown) => {
        if (error instanceof MillraceError) logRefusal(room.log, error, origin)
        throw error
      }),
    beginProviderSignIn: async (origin, before) => {
      const response = await library.beginProviderSignIn(headersOf(origin), before)
      const { url: location } = response.ok
        ? ((await response.json()) as { url: string })
        : { url: undefined }
      if (location === undefined) throw failed('The provider did not say where to sign in.')
      return { location, headers: cookiesOf(response) }
    },
    finishProviderSignIn: async (request, origin) => {
      const given = headersOf(origin, request.headers.get('cookie'))
      const { response, before } = await library.finishProviderSignIn(new URL(request.url).search, given)
      const headers = cookiesOf(response)
      if (headers.getSetCookie().some((cookie) => cookie.startsWith(`${cookies.session}=`)))
        return { headers, before }
      room.log({ level: 'warn', event: 'sign_in.provider_refused', ...refusalOf(response) })
      throw failed("The provider did not sign you in, or the address that it tells is nobody's here.")
    },
    forgottenCookie: forgottenCookie(cookies),
  }
}

async function signInBy(
  library: AuthLibrary,
  lock: SignInLock,
  credentials: { readonly email: string; readonly password: string },
  origin: Origin,
): Promise<Headers> {
  await lock.begin(credentials.email, origin.address)
  const response = await library.signIn(credentials, headersOf(origin))
  // Of a wrong address, a wrong password and a person who is disabled, nobody learns which it was.
  if (response.status >= 500) throw new Error(`The sign-in library answered ${response.status}.`)
  if (!response.ok) throw failed('The address and the password do not belong together, or may not sign in.')
  await lock.clear(credentials.email, origin.address)
  return cookiesOf(response)
}

/** Whose account it was meant for is not written down: it may be nobody's, or a password in the wrong field. */
function logRefusal(log: ServerLog, { code }: MillraceError, { address, correlationId }: Origin): void {
  log({ level: 'warn', event: 'sign_in.refused', code, address, correlation_id: correlationId })
}

/** @throws MillraceError people_off */
export function openedPeople({ people }: { readonly people: People | undefined }): People {
  if (people !== undefined) return people
  throw new MillraceError('people_off', 'Nobody can sign in here: the server was not told how.')
}

/** Only what the library is to know of a request. */
function headersOf({ address, userAgent }: Origin, cookie: string | null = null): Headers {
  const headers = new Headers()
  if (address !== undefined) headers.set(senderHeader, address)
  if (userAgent !== undefined) headers.set('user-agent', userAgent)
  if (cookie !== null) headers.set('cookie', cookie)
  return headers
}

function cookiesOf(response: Response): Headers {
  const headers = new Headers()
  for (const cookie of response.headers.getSetCookie()) headers.append('set-cookie', cookie)
  return headers
}

/** The library says why in the address that it would send the browser to. */
function refusalOf(response: Response): { readonly reason: string | undefined } {
  const location = response.headers.get('location')
  const reason =
    location !== null && URL.canParse(location) ? new URL(location).searchParams.get('error') : null
  return { reason: reason?.slice(0, 100) }
}

function failed(why: string): MillraceError {
  return new MillraceError('sign_in_failed', why)
}

function actorOf({ person_id, email, role, payloads }: FoundSession): Actor {
  return {
    kind: 'person',
    id: person_id,
    name: email,
    role,
    scopes: scopesOf(role).filter((scope) => payloads || scope !== 'payloads:read'),
    tenant: null,
    pipelines: null,
    run: null,
    payloads,
  }
}
