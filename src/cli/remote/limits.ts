// Limits, rules on starts, locks and the cache over HTTP.
import type { HttpClient } from '../../client/http-client.ts'
import type { CacheEntryRow } from '../../db/cache.ts'
import type { LimitRow, LimitSettings, LimitTarget } from '../../db/limits.ts'
import type { LockRow } from '../../db/locks.ts'
import type { StartRuleRow, StartRuleSettings } from '../../db/start-rules.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, revisionOf, rowOf } from './statements.ts'

const rulesMax = 10_000

export function limitStatements(client: HttpClient): RemoteStatements {
  return { ...limits(client), ...startRules(client), ...held(client) }
}

type LimitBody = Parameters<HttpClient['defineLimit']>[0]['body']

function limits(client: HttpClient): RemoteStatements {
  return {
    millrace_list_limits: async (limit: string | null, keys: number) => {
      const found =
        limit === null
          ? (await client.listLimits({ query: { keys } })).items
          : await oneOrNone(client.showLimit({ params: { limit }, query: { keys } }))
      return found.map(rowOf<LimitRow>)
    },
    millrace_define_limit: async (
      limit: string,
      settings: string,
      targets: string,
      revision: number | null,
    ) => {
      const body: { settings: LimitSettings; targets: readonly LimitTarget[] } = {
        settings: JSON.parse(settings),
        targets: JSON.parse(targets),
      }
      return [
        await client.defineLimit({ params: { limit }, body: body as LimitBody, ...revisionOf(revision) }),
      ]
    },
    millrace_remove_limit: async (limit: string, revision: number | null) => {
      const { changed } = await client.removeLimit({ params: { limit }, ...revisionOf(revision) })
      return [{ removed: changed }]
    },
  }
}

type RuleBody = Parameters<HttpClient['defineStartRule']>[0]['body']

function startRules(client: HttpClient): RemoteStatements {
  return {
    millrace_list_start_rules: async (pipeline: string | null) =>
      (await firstOf(client.listStartRules, { query: given({ pipeline }) }, rulesMax)).map(
        rowOf<StartRuleRow>,
      ),
    millrace_define_start_rule: async (
      pipeline: string,
      rule: string,
      settings: string,
      revision: number | null,
    ) => [
      await client.defineStartRule({
        params: { pipeline, rule },
        body: JSON.parse(settings) as StartRuleSettings as RuleBody,
        ...revisionOf(revision),
      }),
    ],
    millrace_remove_start_rule: async (pipeline: string, rule: string, revision: number | null) => [
      await client.removeStartRule({ params: { pipeline, rule }, ...revisionOf(revision) }),
    ],
  }
}

function held(client: HttpClient): RemoteStatements {
  return {
    millrace_list_locks: async (name: string | null, limit: number) => {
      const { items } = await client.listLocks({ query: { limit, ...given({ name }) } })
      return items.map(({ since, wait_until, ...lock }) =>
        rowOf<LockRow>({
          ...lock,
          since: new Date(since),
          wait_until: wait_until === null ? null : new Date(wait_until),
        }),
      )
    },
    millrace_list_cache: async (
      scope: string | null,
      key: string | null,
      prefix: string | null,
      tenant: string | null,
      limit: number,
    ) => {
      const { items } = await client.listCache({ query: { limit, ...given({ scope, key, prefix, tenant }) } })
      return items.map(rowOf<CacheEntryRow>)
    },
    millrace_invalidate_cache: async (
      scope: string | null,
      key: string | null,
      prefix: string | null,
      tenant: string | null,
    ) => [await client.invalidateCache({ body: given({ scope, key, prefix, tenant }) })],
  }
}
