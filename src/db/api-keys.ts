// The SQL functions of API keys: made and revoked by admins, found by the server. Of a key itself only its digest comes here.
import type { Role } from '../core/role.ts'
import type { Caller } from './call.ts'

export type KeyAgent = 'asks' | 'acts'
/** It ends within two weeks, or is older than keys should become. */
type KeyWarning = 'ends' | 'old'

export interface ApiKeyRow {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly role: Role
  readonly scopes: string[] | null
  readonly tenant: string | null
  readonly pipelines: string[] | null
  readonly payloads: boolean
  readonly agent: KeyAgent | null
  readonly requests_per_hour: number | null
  readonly service_account: string | null
  readonly person_id: string | null
  readonly replaces: string | null
  readonly created_at: Date
  readonly created_by: string
  readonly expires_at: Date
  readonly replaced_at: Date | null
  readonly revoked_at: Date | null
  readonly revoked_by: string | null
  readonly revoked_because: string | null
  readonly used_at: Date | null
  readonly used_from: string | null
  readonly is_live: boolean
  readonly warning: KeyWarning | null
}

export interface ApiKeyFilter {
  /** Only those made before this one. */
  readonly before?: string | undefined
  readonly limit: number
  readonly id?: string | undefined
  readonly account?: string | undefined
  readonly live?: boolean | undefined
}

/** The newest first. */
export function listApiKeys(caller: Caller, filter: ApiKeyFilter): Promise<ApiKeyRow[]> {
  return caller.call<ApiKeyRow>(
    {
      name: 'millrace_list_api_keys',
      text: `select id, name, prefix, role, scopes, tenant, pipelines, payloads, agent, requests_per_hour, service_account, person_id, replaces,
        created_at, created_by, expires_at, replaced_at, revoked_at, revoked_by, revoked_because, used_at, used_from, is_live, warning
        from millrace.list_api_keys($1::uuid, $2::int, $3::uuid, $4, $5::boolean)`,
    },
    [filter.before ?? null, filter.limit, filter.id ?? null, filter.account ?? null, filter.live ?? false],
  )
}

export interface KeyWarningRow {
  readonly name: string
  readonly prefix: string
  readonly expires_at: Date
  readonly warning: KeyWarning
}

/** The keys that end soon or are too old, and that nobody has replaced. */
export function listKeyWarnings(caller: Caller): Promise<KeyWarningRow[]> {
  return caller.call<KeyWarningRow>(
    {
      name: 'millrace_list_key_warnings',
      text: 'select name, prefix, expires_at, warning from millrace.list_key_warnings()',
    },
    [],
  )
}

export interface ApiKeyWrite {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly digest: Uint8Array
  readonly role: Role
  readonly scopes: readonly string[] | null
  readonly tenant: string | null
  readonly pipelines: readonly string[] | null
  readonly payloads: boolean
  readonly agent: KeyAgent | null
  readonly requestsPerHour: number | null
  readonly serviceAccount: string | null
  /** Whose key it is, by their id. */
  readonly person: string | null
  /** null: as long as a key may live. */
  readonly livesSeconds: number | null
}

/** Answers until when it is taken. @throws MillraceError argument_invalid, service_account_unknown */
export async function createApiKey(caller: Caller, key: ApiKeyWrite): Promise<Date> {
  const rows = await caller.call<{ expires_at: Date }>(
    {
      name: 'millrace_create_api_key',
      text: `select millrace.create_api_key($1, $2, $3, $4, $5, $6::text[], $7, $8::text[], $9, $10, $11::int, $12, $13, $14::bigint) as expires_at`,
    },
    [
      key.id,
      key.name,
      key.prefix,
      key.digest,
      key.role,
      key.scopes,
      key.tenant,
      key.pipelines,
      key.payloads,
      key.agent,
      key.requestsPerHour,
      key.serviceAccount,
      key.person,
      key.livesSeconds,
    ],
  )
  return rows[0]!.expires_at
}

export interface ApiKeyRotation {
  readonly id: string
  readonly newId: string
  readonly prefix: string
  readonly digest: Uint8Array
  readonly overlapSeconds: number
  readonly livesSeconds: number | null
}

/** @throws MillraceError api_key_unknown, api_key_over, argument_invalid */
export async function rotateApiKey(
  caller: Caller,
  { id, newId, prefix, digest, overlapSeconds, livesSeconds }: ApiKeyRotation,
): Promise<{ readonly expires_at: Date; readonly old_expires_at: Date }> {
  const rows = await caller.call<{ expires_at: Date; old_expires_at: Date }>(
    {
      name: 'millrace_rotate_api_key',
      text: 'select expires_at, old_expires_at from millrace.rotate_api_key($1, $2, $3, $4, $5::bigint, $6::bigint)',
    },
    [id, newId, prefix, digest, overlapSeconds, livesSeconds],
  )
  return rows[0]!
}

/** False where it was revoked already. @throws MillraceError api_key_unknown */
export async function revokeApiKey(caller: Caller, id: string, reason: string | null): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_revoke_api_key', text: 'select millrace.revoke_api_key($1, $2) as changed' },
    [id, reason],
  )
  return rows[0]!.changed
}

/** A key as a server compares it, with the role that it has at present. */
export interface FoundApiKey
  extends Pick<
    ApiKeyRow,
    | 'id'
    | 'name'
    | 'role'
    | 'scopes'
    | 'tenant'
    | 'pipelines'
    | 'payloads'
    | 'agent'
    | 'requests_per_hour'
    | 'service_account'
    | 'expires_at'
    | 'warning'
  > {
  readonly prefix: string
  readonly digest: Uint8Array
}

/** The keys of some prefixes, those that are taken now. */
export function findApiKeys(caller: Caller, prefixes: readonly string[]): Promise<FoundApiKey[]> {
  return caller.call<FoundApiKey>(
    {
      name: 'millrace_find_api_keys',
      text: `select shown.prefix, k.id, k.name, k.digest, k.role, k.scopes, k.tenant, k.pipelines, k.payloads, k.agent, k.requests_per_hour,
          k.service_account, k.expires_at, k.warning
        from unnest($1::text[]) shown(prefix) cross join lateral millrace.find_api_key(shown.prefix) k`,
    },
    [prefixes],
  )
}

export interface ApiKeyUse {
  readonly id: string
  readonly address: string | null
  readonly secondsAgo: number
}

export async function recordKeyUses(caller: Caller, uses: readonly ApiKeyUse[]): Promise<void> {
  await caller.call(
    {
      name: 'millrace_record_key_uses',
      text: 'select millrace.record_key_uses($1::uuid[], $2::text[], $3::float8[])',
    },
    [uses.map(({ id }) => id), uses.map(({ address }) => address), uses.map(({ secondsAgo }) => secondsAgo)],
  )
}
