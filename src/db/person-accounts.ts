// By what people sign in, as the library that checks it reads it: a password's hash, or a provider's name for them.
import type { Caller } from './call.ts'

export interface SigningIn {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly email_verified: boolean
  readonly created_at: Date
  readonly updated_at: Date
  readonly accounts: readonly SignInAccount[]
}

interface SignInAccount {
  readonly id: string
  readonly provider: 'credential' | 'oidc'
  readonly account: string
  /** An argon2id hash; null where the provider signs them in. */
  readonly password: string | null
}

const columns = `p.id, p.email, p.name, p.email_verified, p.created_at, p.updated_at,
  coalesce((select jsonb_agg(jsonb_build_object('id', a.id, 'provider', a.provider, 'account', a.account, 'password', a.password))
              from millrace.person_account a where a.person_id = p.id), '[]') as accounts`

/** Undefined where nobody has this address. */
export async function findByEmail(caller: Caller, email: string): Promise<SigningIn | undefined> {
  const rows = await caller.call<SigningIn>(
    {
      name: 'millrace_find_by_email',
      text: `select ${columns} from millrace.person p where p.email = lower($1)`,
    },
    [email],
  )
  return rows[0]
}

export async function findById(caller: Caller, personId: string): Promise<SigningIn | undefined> {
  const rows = await caller.call<SigningIn>(
    { name: 'millrace_find_by_id', text: `select ${columns} from millrace.person p where p.id = $1` },
    [personId],
  )
  return rows[0]
}

/** Whom the provider knows under a name. */
export async function findByProvider(caller: Caller, account: string): Promise<SigningIn | undefined> {
  const rows = await caller.call<SigningIn>(
    {
      name: 'millrace_find_by_provider',
      text: `select ${columns} from millrace.person p join millrace.person_account o on o.person_id = p.id
        where o.provider = 'oidc' and o.account = $1`,
    },
    [account],
  )
  return rows[0]
}

/** @throws MillraceError person_unknown */
export async function linkProvider(
  caller: Caller,
  link: { readonly accountId: string; readonly personId: string; readonly account: string },
): Promise<void> {
  await caller.call({ name: 'millrace_link_provider', text: 'select millrace.link_provider($1, $2, $3)' }, [
    link.accountId,
    link.personId,
    link.account,
  ])
}
