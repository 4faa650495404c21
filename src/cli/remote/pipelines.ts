// Pipelines over HTTP.
import type { HttpClient } from '../../client/http-client.ts'
import type { MovedRow } from '../../db/run-moves.ts'
import type { PausedKeyRow } from '../../db/failure-streaks.ts'
import type { InventoryRow } from '../../db/inventory.ts'
import type { OutcomeRow, PipelineRow, VersionRow } from '../../db/pipeline-list.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, revisionOf, rowOf, valueOf } from './statements.ts'

/** As many as a command lists where it lists all. */
const allMax = 10_000

export function pipelineStatements(client: HttpClient): RemoteStatements {
  return { ...reading(client), ...changing(client) }
}

function reading(client: HttpClient): RemoteStatements {
  return {
    millrace_list_pipelines: async (pipeline: string | null) => {
      const found =
        pipeline === null
          ? await firstOf(client.listPipelines, {}, allMax)
          : await oneOrNone(client.showPipeline({ params: { pipeline } }))
      return found.map(rowOf<PipelineRow>)
    },
    millrace_pipeline_inventory: async () => {
      const found = await firstOf(client.pipelineInventory, {}, allMax)
      return found.map(rowOf<InventoryRow>)
    },
    millrace_list_versions: async (pipeline: string) => {
      const { items } = await client.listVersions({ params: { pipeline } })
      return items.map(rowOf<VersionRow>)
    },
    millrace_pipeline_outcomes: async (pipeline: string, since: Date | null): Promise<OutcomeRow[]> => {
      const query = given({ since: since?.toISOString() })
      return (await client.pipelineOutcomes({ params: { pipeline }, query })).items
    },
    millrace_list_paused_keys: async (pipeline: string | null) => {
      const { items } = await client.listPausedKeys({ query: given({ pipeline }) })
      return items.map(rowOf<PausedKeyRow>)
    },
  }
}

function changing(client: HttpClient): RemoteStatements {
  return {
    millrace_pause_pipeline: async (pipeline: string, reason: string | null, revision: number | null) => [
      await client.pausePipeline({ params: { pipeline }, body: given({ reason }), ...revisionOf(revision) }),
    ],
    millrace_resume_pipeline: async (pipeline: string, revision: number | null) => [
      await client.resumePipeline({ params: { pipeline }, body: {}, ...revisionOf(revision) }),
    ],
    millrace_activate_pipeline: async (pipeline: string, version: number, revision: number | null) => {
      await client.activatePipeline({ params: { pipeline }, body: { version }, ...revisionOf(revision) })
      return []
    },
    millrace_split_pipeline: async (
      pipeline: string,
      versions: readonly number[],
      weights: readonly number[],
      key: string | null,
      revision: number | null,
    ) => {
      const shares = versions.map((version, index) => ({ version, weight: weights[index]! }))
      await client.splitPipeline({
        params: { pipeline },
        body: { shares, ...given({ key }) },
        ...revisionOf(revision),
      })
      return []
    },
    millrace_resume_key: async (pipeline: string, key: string, tenant: string | null) => [
      await client.resumeKey({ params: { pipeline }, body: { key, ...given({ tenant }) } }),
    ],
    millrace_migrate_runs: async (
      pipeline: string,
      from: number,
      to: number | null,
      matching: string | null,
      runs: string[] | null,
      tenant: string | null,
      most: number,
      after: string | null,
      dry_run: boolean,
    ): Promise<MovedRow[]> => {
      const which = given({ to, matching: valueOf(matching).value, runs, tenant, after })
      const { items } = await client.migrateRuns({
        params: { pipeline },
        body: { from, most, dry_run, ...which },
      })
      return items
    },
  }
}
