// The SQL functions of people's sessions: begun, found by the hash of their token, ended; and of tries to sign in.
import type { Caller } from './call.ts'
import type { Role } from '../core/role.ts'

export interface FoundSession {
  readonly session_id: string
  readonly person_id: string
  readonly email: string
  readonly name: string
  readonly role: Role
  readonly payloads: boolean
}

/** The session of a request, which is used by that. Undefined for one that has ended, however. @param tokenHash SHA-256 in base64url */
export async function findSession(
  caller: Caller,
  tokenHash: string,
  idleSeconds: number,
): Promise<FoundSession | undefined> {
  const rows = await caller.call<FoundSession>(
    {
      name: 'millrace_find_session',
      text: 'select session_id, person_id, email, name, role, payloads from millrace.find_session($1, $2)',
    },
    [tokenHash, idleSeconds],
  )
  return rows[0]
}

/** The same without using it: so it ends when it would have. */
export async function readSession(
  caller: Caller,
  tokenHash: string,
  idleSeconds: number,
): Promise<FoundSession | undefined> {
  const rows = await caller.call<FoundSession>(
    {
      name: 'millrace_read_session',
      text: 'select session_id, person_id, email, name, role, payloads from millrace.read_session($1, $2)',
    },
    [tokenHash, idleSeconds],
  )
  return rows[0]
}

export interface SessionStart {
  readonly sessionId: string
  readonly personId: string
  /** SHA-256 of the token in base64url. */
  readonly tokenHash: string
  readonly address: string | undefined
  readonly userAgent: string | undefined
  readonly lifetimeSeconds: number
  /** The hash that the password was compared with; undefined where somebody signs in otherwise. */
  readonly password: string | undefined
}

/** Undefined where the person may not sign in. */
export async function beginSession(
  caller: Caller,
  session: SessionStart,
): Promise<{ readonly created_at: Date; readonly expires_at: Date } | undefined> {
  const rows = await caller.call<{ created_at: Date; expires_at: Date }>(
    {
      name: 'millrace_begin_session',
      text: 'select created_at, expires_at from millrace.begin_session($1, $2, $3, $4, $5, $6, password => $7)',
    },
    [
      session.sessionId,
      session.personId,
      session.tokenHash,
      session.address ?? null,
      session.userAgent ?? null,
      session.lifetimeSeconds,
      session.password ?? null,
    ],
  )
  return rows[0]
}

export interface SessionRow {
  readonly id: string
  readonly created_at: Date
  readonly seen_at: Date
  readonly expires_at: Date
  readonly address: string | null
  readonly user_agent: string | null
}

/** Those that have not ended, the newest first: they are a bounded number. */
export function listSessions(caller: Caller, personId: string, idleSeconds: number): Promise<SessionRow[]> {
  return caller.call<SessionRow>(
    {
      name: 'millrace_list_sessions',
      text: 'select id, created_at, seen_at, expires_at, address, user_agent from millrace.list_sessions($1, $2)',
    },
    [personId, idleSeconds],
  )
}

/** False where there is none of theirs under this id. */
export async function endSession(caller: Caller, personId: string, sessionId: string): Promise<boolean> {
  const rows = await caller.call<{ ended: boolean }>(
    { name: 'millrace_end_session', text: 'select millrace.end_session($1, $2) as ended' },
    [personId, sessionId],
  )
  return rows[0]!.ended
}

/** Answers how many. @param keptSession one that goes on */
export async function endSessions(caller: Caller, personId: string, keptSession?: string): Promise<number> {
  const rows = await caller.call<{ ended: number }>(
    { name: 'millrace_end_sessions', text: 'select millrace.end_sessions($1, $2) as ended' },
    [personId, keptSession ?? null],
  )
  return rows[0]!.ended
}

/** Counts a try before it is made; answers how many seconds to wait, 0 where it may be made. @param keys hashes of the account's and the sender's address */
export async function beginSignIn(
  caller: Caller,
  keys: readonly string[],
  bound: { readonly triesMax: number; readonly windowSeconds: number },
): Promise<number> {
  const rows = await caller.call<{ wait_seconds: number }>(
    { name: 'millrace_begin_sign_in', text: 'select millrace.begin_sign_in($1, $2, $3) as wait_seconds' },
    [keys, bound.triesMax, bound.windowSeconds],
  )
  return rows[0]!.wait_seconds
}

/** A try succeeded. */
export async function clearSignIn(caller: Caller, accountKey: string, addressKey?: string): Promise<void> {
  await caller.call({ name: 'millrace_clear_sign_in', text: 'select millrace.clear_sign_in($1, $2)' }, [
    accountKey,
    addressKey ?? null,
  ])
}
