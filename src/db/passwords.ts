// The SQL functions of passwords: set by a link or by who knows the one before; the database holds hashes alone.
import type { Caller } from './call.ts'
import type { LinkPurpose } from './people.ts'

export interface LinkRow {
  readonly purpose: LinkPurpose
  /** Null for the first admin, who brings one. */
  readonly email: string | null
  readonly name: string | null
  readonly expires_at: Date
}

/** Undefined for a link that was used or replaced, has expired, or never was. */
export async function showLink(caller: Caller, tokenHash: string): Promise<LinkRow | undefined> {
  const rows = await caller.call<LinkRow>(
    {
      name: 'millrace_show_link',
      text: 'select purpose, email, name, expires_at from millrace.show_link($1)',
    },
    [tokenHash],
  )
  return rows[0]
}

export interface LinkUse {
  readonly tokenHash: string
  /** An argon2id hash. */
  readonly password: string
  /** For what comes into being. */
  readonly accountId: string
  readonly personId: string
  readonly email: string | undefined
  readonly name: string | undefined
}

/** Answers whose it was. @throws MillraceError link_invalid */
export async function useLink(caller: Caller, use: LinkUse): Promise<string> {
  const rows = await caller.call<{ person_id: string }>(
    { name: 'millrace_use_link', text: 'select millrace.use_link($1, $2, $3, $4, $5, $6) as person_id' },
    [use.tokenHash, use.password, use.accountId, use.personId, use.email ?? null, use.name ?? null],
  )
  return rows[0]!.person_id
}

/** The stored hash; undefined for somebody without a password. */
export async function readPassword(caller: Caller, personId: string): Promise<string | undefined> {
  const rows = await caller.call<{ password: string }>(
    {
      name: 'millrace_read_password',
      text: `select a.password from millrace.person_account a where a.person_id = $1 and a.provider = 'credential'`,
    },
    [personId],
  )
  return rows[0]?.password
}

export interface PasswordChange {
  readonly personId: string
  /** Both are hashes. */
  readonly before: string
  readonly password: string
  readonly accountId: string
  readonly keptSession: string
}

/** False where the hash before is no longer the stored one. */
export async function setPassword(caller: Caller, change: PasswordChange): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_set_password', text: 'select millrace.set_password($1, $2, $3, $4, $5) as changed' },
    [change.personId, change.before, change.password, change.accountId, change.keptSession],
  )
  return rows[0]!.changed
}
