// What admins do with API keys and service accounts, over HTTP. A key is made here, and only its SHA-256 goes to the server.
import type { Scope } from '../../api/access.ts'
import type { HttpClient } from '../../client/http-client.ts'
import type { Role } from '../../core/role.ts'
import type { ApiKeyRow, KeyAgent } from '../../db/api-keys.ts'
import type { ServiceAccountRow } from '../../db/service-accounts.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, rowOf } from './statements.ts'

export function keyStatements(client: HttpClient): RemoteStatements {
  return { ...keys(client), ...accounts(client) }
}

function keys(client: HttpClient): RemoteStatements {
  return {
    millrace_list_api_keys: async (
      before: string | null,
      limit: number,
      id: string | null,
      account: string | null,
      live: boolean,
    ) => {
      if (id !== null)
        return (await oneOrNone(client.showApiKey({ params: { key: id } }))).map(rowOf<ApiKeyRow>)
      const query = { ...given({ account }), ...(live ? { live: 'true' as const } : {}) }
      const all = await firstOf(client.listApiKeys, { query }, before === null ? limit : keysMax)
      const behind = all.filter((key) => before === null || key.id < before)
      return behind.slice(0, limit).map(rowOf<ApiKeyRow>)
    },
    millrace_create_api_key: async (
      id: string,
      name: string,
      prefix: string,
      digest: Uint8Array,
      role: Role,
      scopes: Scope[] | null,
      tenant: string | null,
      pipelines: string[] | null,
      payloads: boolean,
      agent: KeyAgent | null,
      requests_per_hour: number | null,
      service_account: string | null,
      _person: string | null,
      lives_seconds: number | null,
    ) => {
      const rights = { scopes, tenant, pipelines, agent, requests_per_hour, service_account, lives_seconds }
      const body = { name, role, payloads, ...given(rights), own: { id, prefix, digest: hexOf(digest) } }
      const made = await client.createApiKey({ body })
      return [{ expires_at: new Date(made.expires_at) }]
    },
    millrace_rotate_api_key: async (
      key: string,
      id: string,
      prefix: string,
      digest: Uint8Array,
      overlap_seconds: number,
      lives_seconds: number | null,
    ) => {
      const body = {
        overlap_seconds,
        ...given({ lives_seconds }),
        own: { id, prefix, digest: hexOf(digest) },
      }
      const made = await client.rotateApiKey({ params: { key }, body })
      return [{ expires_at: new Date(made.expires_at), old_expires_at: new Date(made.old_expires_at) }]
    },
    millrace_revoke_api_key: async (key: string, reason: string | null) => [
      await client.revokeApiKey({ params: { key }, body: given({ reason }) }),
    ],
  }
}

function accounts(client: HttpClient): RemoteStatements {
  return {
    millrace_list_service_accounts: async (after: string | null, limit: number) => {
      const all = await firstOf(client.listServiceAccounts, {}, after === null ? limit : accountsMax)
      const behind = all.filter(({ name }) => after === null || name > after)
      return behind.slice(0, limit).map(rowOf<ServiceAccountRow>)
    },
    millrace_create_service_account: async (name: string, role: Role, description: string) => {
      const { created_at } = await client.createServiceAccount({ body: { name, role, description } })
      return [{ created_at: new Date(created_at) }]
    },
    millrace_disable_service_account: async (account: string, disabled: boolean) => [
      await (disabled ? client.disableServiceAccount : client.enableServiceAccount)({
        params: { account },
        body: {},
      }),
    ],
  }
}

const accountsMax = 10_000
const keysMax = 100_000

function hexOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex')
}
