// The SQL functions of pipelines: register, activate, pause, resume.
import type { Graph, StepKind } from '../core/graph.ts'
import type { Caller } from './call.ts'

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
 *
 * @throws MillraceError graph_invalid
 */
export async function registerPipeline(
  caller: Caller,
  slug: string,
  graph: Graph,
): Promise<RegisteredPipeline> {
  const rows = await caller.call<Omit<RegisteredPipeline, 'slug'>>(
    {
      name: 'millrace_register_pipeline',
      text: 'select version, created, steps from millrace.register_pipeline($1, $2)',
    },
    [slug, JSON.stringify(graph)],
  )
  const row = rows[0]!
  return { slug, version: row.version, created: row.created, steps: row.steps }
}

/** Chooses the version that starts without one of their own get, all of them: a split ends. @throws MillraceError pipeline_unknown */
export async function activatePipeline(caller: Caller, slug: string, version: number): Promise<void> {
  await caller.call(
    { name: 'millrace_activate_pipeline', text: 'select millrace.activate_pipeline($1, $2)' },
    [slug, version],
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
): Promise<void> {
  await caller.call(
    {
      name: 'millrace_split_pipeline',
      text: 'select millrace.split_pipeline($1, $2::int[], $3::int[], $4)',
    },
    [slug, shares.map(({ version }) => version), shares.map(({ weight }) => weight), key],
  )
}

/** True where the pipeline was not paused before. @throws MillraceError pipeline_unknown */
export async function pausePipeline(caller: Caller, slug: string, reason: string | null): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_pause_pipeline', text: 'select millrace.pause_pipeline($1, $2) as changed' },
    [slug, reason],
  )
  return rows[0]!.changed
}

/** True where the pipeline was paused before. @throws MillraceError pipeline_unknown */
export async function resumePipeline(caller: Caller, slug: string): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_resume_pipeline', text: 'select millrace.resume_pipeline($1) as changed' },
    [slug],
  )
  return rows[0]!.changed
}
