// The SQL functions of pipelines: register, activate, pause, resume.
import type { Graph, StepKind } from '../core/graph.ts'
import type { Caller } from './call.ts'
import type { StartRules } from './start-rules.ts'

export interface RegisteredStep {
  readonly id: number
  readonly step: string
  readonly kind: StepKind
  readonly handler: number
}

export interface RegisteredPipeline {
  readonly slug: string
  readonly version: number
  /** Whether this call made the version. */
  readonly created: boolean
  readonly steps: readonly RegisteredStep[]
}

/**
 * Registers a graph; the same graph again is the same version, a changed one a new version that is active from now on.
 * The rules on starts that code brings are applied as a set.
 *
 * @throws MillraceError graph_invalid, start_rule_invalid
 */
export async function registerPipeline(
  caller: Caller,
  slug: string,
  graph: Graph,
  startRules?: StartRules,
): Promise<RegisteredPipeline> {
  const rows = await caller.call<Omit<RegisteredPipeline, 'slug'>>(
    {
      name: 'millrace_register_pipeline',
      text: 'select version, created, steps from millrace.register_pipeline($1, $2, $3)',
    },
    [slug, JSON.stringify(graph), startRules === undefined ? null : JSON.stringify(startRules)],
  )
  const row = rows[0]!
  return { slug, version: row.version, created: row.created, steps: row.steps }
}

/** What a start that names no version has to know of the one that it gets. */
export interface ActiveVersionRow {
  /**
   * Where it is encrypted: what a start must name that is encrypted so, since another version may be active by then. Null where starts are split,
   * among versions that are encrypted alike.
   */
  readonly version: number | null
  readonly encrypt: Graph['encrypt'] | null
  /** Of one of them, where starts are split. */
  readonly key: Graph['key']
}

/** Undefined where there is no such pipeline. */
export async function readActiveVersion(caller: Caller, slug: string): Promise<ActiveVersionRow | undefined> {
  const rows = await caller.call<ActiveVersionRow>(
    {
      name: 'millrace_read_active_version',
      text: `select case when v.is_encrypted and p.split_path is null then v.version end as version, v.graph -> 'encrypt' as encrypt, v.graph -> 'key' as key
               from millrace.pipeline p
               join millrace.pipeline_version v on v.slug = p.slug
                and v.version = coalesce((select min(s.version) from millrace.pipeline_share s where s.slug = p.slug), p.active_version)
              where p.slug = $1`,
    },
    [slug],
  )
  return rows[0]
}

/** Chooses the version that starts without one of their own get, all of them: a split ends. @throws MillraceError pipeline_unknown */
export async function activatePipeline(
  caller: Caller,
  slug: string,
  version: number,
  ifRevision: number | null = null,
): Promise<void> {
  await caller.call(
    { name: 'millrace_activate_pipeline', text: 'select millrace.activate_pipeline($1, $2, $3)' },
    [slug, version, ifRevision],
  )
}

/** A version among several that share the starts, with its weight. */
export interface SplitShare {
  readonly version: number
  readonly weight: number
}

/** Splits the starts that name no version; `key` is a path such as user.id. @throws MillraceError pipeline_unknown, argument_invalid */
export async function splitPipeline(
  caller: Caller,
  slug: string,
  shares: readonly SplitShare[],
  key: string | null,
  ifRevision: number | null = null,
): Promise<void> {
  await caller.call(
    {
      name: 'millrace_split_pipeline',
      text: 'select millrace.split_pipeline($1, $2::int[], $3::int[], $4, $5)',
    },
    [slug, shares.map(({ version }) => version), shares.map(({ weight }) => weight), key, ifRevision],
  )
}

/** True where the pipeline was not paused before. @throws MillraceError pipeline_unknown */
export async function pausePipeline(
  caller: Caller,
  slug: string,
  reason: string | null,
  ifRevision: number | null = null,
): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_pause_pipeline', text: 'select millrace.pause_pipeline($1, $2, $3) as changed' },
    [slug, reason, ifRevision],
  )
  return rows[0]!.changed
}

/** True where the pipeline was paused before. @throws MillraceError pipeline_unknown */
export async function resumePipeline(
  caller: Caller,
  slug: string,
  ifRevision: number | null = null,
): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_resume_pipeline', text: 'select millrace.resume_pipeline($1, $2) as changed' },
    [slug, ifRevision],
  )
  return rows[0]!.changed
}
