// Owns what the sign-in library may do in the database, which is little: look people up, begin a session, link a provider. It never sees a table.
import { randomUUID } from 'node:crypto'
import type { Caller } from '../../db/call.ts'
import {
  findByEmail,
  findById,
  findByProvider,
  linkProvider,
  type SigningIn,
} from '../../db/person-accounts.ts'
import { beginSession, type SessionStart } from '../../db/person-sessions.ts'
import { hashToken } from './link.ts'

/** How the library names what it looks for. */
interface Where {
  readonly field: string
  readonly value: unknown
}

interface Search {
  readonly model: string
  readonly where?: readonly Where[]
}

interface NewRow {
  readonly model: string
  readonly data: Readonly<Record<string, unknown>>
}

type Row = Record<string, unknown>

/** The part of the library's adapter that signing in asks for. */
export interface AuthStore {
  readonly id: string
  create(row: NewRow): Promise<Row | null>
  findOne(search: Search): Promise<Row | null>
  findMany(search: Search): Promise<Row[]>
  update(search: Search): Promise<Row | null>
  /** Nothing of a sign-in takes several writes. */
  transaction<T>(work: (store: AuthStore) => Promise<T>): Promise<T>
}

/** @param password the hash that somebody's password was just compared with, where they sign in by one */
export function createAuthStore(
  caller: Caller,
  sessionSeconds: number,
  password: () => string | undefined,
): AuthStore {
  const personOf = async ({ model, where = [] }: Search): Promise<SigningIn | undefined> => {
    const value = (field: string) => where.find((one) => one.field === field)?.value
    if (model === 'user' && typeof value('email') === 'string')
      return findByEmail(caller, value('email') as string)
    if (model === 'user' && typeof value('id') === 'string') return findById(caller, value('id') as string)
    if (model === 'account' && typeof value('userId') === 'string')
      return findById(caller, value('userId') as string)
    if (model === 'account' && value('providerId') === 'oidc')
      return findByProvider(caller, String(value('accountId')))
    throw new Error(
      `The sign-in library looks for ${model} by ${where.map(({ field }) => field).join(', ')}.`,
    )
  }
  const store: AuthStore = {
    id: 'millrace',
    create: ({ model, data }) =>
      model === 'session'
        ? newSession(caller, data, { lifetimeSeconds: sessionSeconds, password: password() })
        : newAccount(caller, model, data),
    findOne: async (search) => {
      const person = await personOf(search)
      if (person === undefined) return null
      if (search.model === 'user')
        return { ...userOf(person), account: person.accounts.map(accountOf(person)) }
      const linked = person.accounts.find(({ provider }) => provider === 'oidc')
      return linked === undefined ? null : { ...accountOf(person)(linked), user: userOf(person) }
    },
    findMany: async (search) => {
      const person = await personOf(search)
      return person === undefined ? [] : person.accounts.map(accountOf(person))
    },
    // What it would note of a person on the way, link_provider has noted already.
    update: async (search) => {
      const person = await personOf(search)
      return person === undefined ? null : userOf(person)
    },
    transaction: (work) => work(store),
  }
  return store
}

/** Null where the person may not sign in. Of the token the database gets the hash. */
async function newSession(
  caller: Caller,
  data: NewRow['data'],
  how: Pick<SessionStart, 'lifetimeSeconds' | 'password'>,
): Promise<Row | null> {
  const sessionId = randomUUID()
  const begun = await beginSession(caller, {
    sessionId,
    personId: String(data['userId']),
    tokenHash: hashToken(String(data['token'])),
    address: textIn(data['ipAddress']),
    userAgent: textIn(data['userAgent']),
    ...how,
  })
  if (begun === undefined) return null
  return {
    ...data,
    id: sessionId,
    createdAt: begun.created_at,
    updatedAt: begun.created_at,
    expiresAt: begun.expires_at,
  }
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** What the provider gave besides a name, such as tokens for its own API, is not kept. */
async function newAccount(caller: Caller, model: string, data: NewRow['data']): Promise<Row> {
  if (model !== 'account' || data['providerId'] !== 'oidc')
    throw new Error(`The sign-in library would create ${model}.`)
  const accountId = randomUUID()
  await linkProvider(caller, {
    accountId,
    personId: String(data['userId']),
    account: String(data['accountId']),
  })
  return { ...data, id: accountId }
}

function userOf({ id, email, name, email_verified, created_at, updated_at }: SigningIn): Row {
  return { id, email, name, emailVerified: email_verified, createdAt: created_at, updatedAt: updated_at }
}

function accountOf({ id: userId }: SigningIn): (account: SigningIn['accounts'][number]) => Row {
  return ({ id, provider, account, password }) => ({
    id,
    userId,
    providerId: provider,
    accountId: account,
    password,
  })
}
