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
