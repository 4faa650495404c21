// The SQL functions of people: who may sign in, with which role, and by which link they begin.
import type { Role } from '../core/role.ts'
import type { Caller } from './call.ts'

export type LinkPurpose = 'invitation' | 'reset' | 'first_admin'

export interface PersonRow {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly role: Role
  /** Whether they see what went into runs and came out. */
  readonly payloads: boolean
  readonly revision: number
  readonly created_at: Date
  readonly disabled_at: Date | null
  readonly disabled_by: string | null
  /** Whether they have a password, or have signed in by the provider. */
  readonly has_account: boolean
  /** Sessions that have not ended. */
  readonly session_count: number
  readonly seen_at: Date | null
  /** Of their open link; null: they have none. */
  readonly link_purpose: LinkPurpose | null
  readonly link_expires_at: Date | null
}

const listStatement = {
  name: 'millrace_list_people',
  text: `select id, email, name, role, payloads, revision, created_at, disabled_at, disabled_by, has_account, session_count, seen_at, link_purpose,
    link_expires_at from millrace.list_people($1, $2, $3)`,
}

/** By address, and never more than asked for. @param after the address behind which the page begins */
export function listPeople(
  caller: Caller,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
): Promise<PersonRow[]> {
  return caller.call<PersonRow>(listStatement, [after ?? null, limit, null])
}

/** Undefined where there is none. @param named an id or an address */
export async function findPerson(caller: Caller, named: string): Promise<PersonRow | undefined> {
  const rows = await caller.call<PersonRow>(listStatement, [null, 1, named])
  return rows[0]
}

/** A link as the database knows it: never the token itself. */
export interface LinkWrite {
  readonly linkId: string
  /** SHA-256 of the token, in base64url. */
  readonly tokenHash: string
  readonly lifetimeSeconds: number
}

export interface Invitation extends LinkWrite {
  readonly personId: string
  readonly email: string
  readonly name: string
  readonly role: Role
  readonly payloads: boolean
}

/** Answers when the link expires. @throws MillraceError person_exists */
export async function invitePerson(caller: Caller, person: Invitation): Promise<Date> {
  const rows = await caller.call<{ expires_at: Date }>(
    {
      name: 'millrace_invite_person',
      text: 'select millrace.invite_person($1, $2, $3, $4, $5, $6, $7, $8) as expires_at',
    },
    [
      person.personId,
      person.email,
      person.name,
      person.role,
      person.payloads,
      person.linkId,
      person.tokenHash,
      person.lifetimeSeconds,
    ],
  )
  return rows[0]!.expires_at
}

/** Another link for somebody; answers when it expires. @throws MillraceError person_unknown, person_disabled */
export async function linkPerson(caller: Caller, personId: string, link: LinkWrite): Promise<Date> {
  const rows = await caller.call<{ expires_at: Date }>(
    { name: 'millrace_link_person', text: 'select millrace.link_person($1, $2, $3, $4) as expires_at' },
    [personId, link.linkId, link.tokenHash, link.lifetimeSeconds],
  )
  return rows[0]!.expires_at
}

/** Undefined where there is an admin who can sign in. */
export async function offerFirstAdmin(caller: Caller, link: LinkWrite): Promise<Date | undefined> {
  const rows = await caller.call<{ expires_at: Date | null }>(
    {
      name: 'millrace_offer_first_admin',
      text: 'select millrace.offer_first_admin($1, $2, $3) as expires_at',
    },
    [link.linkId, link.tokenHash, link.lifetimeSeconds],
  )
  return rows[0]!.expires_at ?? undefined
}

export interface PersonChange {
  readonly name?: string | undefined
  readonly role?: Role | undefined
  readonly payloads?: boolean | undefined
}

/** Answers the revision, which stays where nothing changes. @throws MillraceError person_unknown, revision_conflict, last_admin */
export async function changePerson(
  caller: Caller,
  personId: string,
  change: PersonChange,
  ifRevision?: number,
): Promise<number> {
  const rows = await caller.call<{ revision: number }>(
    {
      name: 'millrace_change_person',
      text: 'select millrace.change_person($1, $2, $3, $4, $5) as revision',
    },
    [personId, change.name ?? null, change.role ?? null, change.payloads ?? null, ifRevision ?? null],
  )
  return rows[0]!.revision
}

/** False where it was so already. @throws MillraceError person_unknown, revision_conflict, last_admin */
export async function disablePerson(caller: Caller, personId: string, ifRevision?: number): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_disable_person', text: 'select millrace.disable_person($1, $2) as changed' },
    [personId, ifRevision ?? null],
  )
  return rows[0]!.changed
}

/** False where they could sign in already. @throws MillraceError person_unknown, revision_conflict */
export async function enablePerson(caller: Caller, personId: string, ifRevision?: number): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_enable_person', text: 'select millrace.enable_person($1, $2) as changed' },
    [personId, ifRevision ?? null],
  )
  return rows[0]!.changed
}
