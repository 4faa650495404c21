// The operations on pipelines: what is registered and how it goes, holding it back, its versions, its live runs, and run keys that are paused.
import { z } from 'zod'
import { runStates } from '../core/state.ts'
import { operation } from './operation.ts'
import { pausable } from './pausing.ts'
import { changed, json, name, pageOf, pageQuery, reason, slug, time, uuid, text } from './values.ts'

const pipelineParams = z.object({ pipeline: slug })
const version = z.int().min(1).max(2_147_483_647)

/** Of all tenants: so it is null for a key that is bound to one. */
const lastRun = {
  last_run_id: uuid.nullable(),
  last_run_state: z.enum(runStates).nullable(),
  last_run_at: time.nullable(),
}

const pipelineShape = {
  slug: z.string(),
  active_version: z.int().nullable(),
  paused_at: time.nullable(),
  paused_by: z.string().nullable(),
  pause_reason: z.string().nullable(),
  retention_days: z.int().nullable(),
  revision: z.int().describe('Rises with each change by a person; send it as If-Match.'),
  split_path: z
    .array(z.string())
    .nullable()
    .describe('The path whose value decides among versions; null where starts are not split.'),
  split_at: time.nullable(),
  live_runs: z.int().nullable().describe('null for a key that is bound to a tenant.'),
  ...lastRun,
}
const pipeline = z.object(pipelineShape).meta({ id: 'Pipeline' })

const pipelineVersion = z
  .object({
    version: z.int(),
    digest: z.string(),
    graph: json,
    registered_at: time,
    registered_by: z.string(),
  })
  .meta({ id: 'PipelineVersion' })

const outcome = z
  .object({
    version: z.int(),
    weight: z.int().nullable(),
    share: z.number(),
    runs: z.int(),
    live: z.int(),
    completed: z.int(),
    failed: z.int(),
    cancelled: z.int(),
    median_ms: z.number().nullable(),
  })
  .meta({ id: 'PipelineOutcome' })

const pausedKey = z
  .object({
    slug: z.string(),
    tenant: z.string().nullable(),
    key: z.string(),
    failures: z.int(),
    paused_at: time,
    run_id: uuid.describe('The run that failed last.'),
  })
  .meta({ id: 'PausedKey' })

const inventoryEntry = z
  .object({
    slug: z.string(),
    active_version: z.int().nullable(),
    registered_at: time.nullable(),
    paused_at: time.nullable(),
    verdict: z
      .enum(['never called', 'always failed', 'undecided', 'works'])
      .describe(
        'Of its newest 20 runs: there is none; of those that ended well or badly none did well; there is none of either yet; one completed.',
      ),
    ...lastRun,
    last_run_error: z.string().nullable().describe('The code of its error.'),
    last_run_via: z.string().nullable().describe('How it was started: by hand, or by which kind of trigger.'),
    last_run_by: z.string().nullable(),
    last_completed_at: time.nullable().describe('Of the newest 20.'),
    triggers: z.array(
      z.object({
        kind: z.enum(['schedule', 'webhook', 'watch', 'subscription']),
        name: z.string(),
        paused: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'InventoryEntry' })

const listPipelines = operation({
  name: 'listPipelines',
  method: 'get',
  path: '/pipelines',
  tag: 'pipelines',
  summary: 'List pipelines by name, each with its newest run.',
  access: { scope: 'pipelines:read', role: 'viewer', subject: 'list' },
  query: z.strictObject(pageQuery),
  answer: pageOf(pipeline),
})

const pipelineInventory = operation({
  name: 'pipelineInventory',
  method: 'get',
  path: '/inventory',
  tag: 'pipelines',
  summary:
    'List pipelines with what starts them and how their newest runs ended: which are never called, and which always fail.',
  access: { scope: 'pipelines:read', role: 'viewer', subject: 'installation' },
  query: z.strictObject(pageQuery),
  answer: pageOf(inventoryEntry),
})

const showPipeline = operation({
  name: 'showPipeline',
  method: 'get',
  path: '/pipelines/{pipeline}',
  tag: 'pipelines',
  summary: 'Show a pipeline.',
  access: { scope: 'pipelines:read', role: 'viewer', subject: 'pipeline' },
  params: pipelineParams,
  answer: pipeline,
  errors: ['pipeline_unknown'],
})

const listVersions = operation({
  name: 'listVersions',
  method: 'get',
  path: '/pipelines/{pipeline}/versions',
  tag: 'pipelines',
  summary: 'List the versions of a pipeline with their graphs, the newest first; 100 at most.',
  access: { scope: 'pipelines:read', role: 'viewer', subject: 'pipeline' },
  params: pipelineParams,
  answer: z.object({ items: z.array(pipelineVersion) }),
  errors: ['pipeline_unknown'],
})

const pipelineOutcomes = operation({
  name: 'pipelineOutcomes',
  method: 'get',
  path: '/pipelines/{pipeline}/outcomes',
  tag: 'pipelines',
  summary: 'How the runs of the versions went that share the starts, of all tenants.',
  access: { scope: 'pipelines:read', role: 'viewer', subject: 'pipeline' },
  params: pipelineParams,
  query: z.strictObject({ since: time.optional() }),
  answer: z.object({ items: z.array(outcome) }),
  errors: ['pipeline_unknown'],
})

const steered = { tag: 'pipelines', params: pipelineParams, revised: true } as const
const steers = { scope: 'pipelines:write', role: 'operator', subject: 'pipeline' } as const

const [pausePipeline, resumePipeline] = pausable({
  noun: 'Pipeline',
  path: '/pipelines/{pipeline}',
  of: { tag: 'pipelines', params: pipelineParams, access: steers },
  unknown: 'pipeline_unknown',
  pause: {
    summary: 'Refuse starts of a pipeline, and claims of its tasks, until it is resumed.',
    body: z.strictObject({ reason }),
  },
  resume: { summary: 'Take starts of a paused pipeline again.' },
})

const activatePipeline = operation({
  ...steered,
  name: 'activatePipeline',
  method: 'post',
  path: '/pipelines/{pipeline}/activate',
  summary: 'Give all starts that name no version this one; a split ends.',
  access: steers,
  body: z.strictObject({ version }),
  errors: ['pipeline_unknown', 'argument_invalid', 'revision_conflict'],
})

const splitPipeline = operation({
  ...steered,
  name: 'splitPipeline',
  method: 'post',
  path: '/pipelines/{pipeline}/split',
  summary: 'Share the starts that name no version among several, by weight.',
  access: steers,
  body: z.strictObject({
    shares: z
      .array(z.strictObject({ version, weight: z.int().min(0).max(1_000_000) }))
      .min(1)
      .max(20),
    key: text(500).optional().describe('A path such as user.id, whose value always gets the same version.'),
  }),
  errors: ['pipeline_unknown', 'argument_invalid', 'encryption_required', 'revision_conflict'],
})

const migrateRuns = operation({
  name: 'migrateRuns',
  method: 'post',
  path: '/pipelines/{pipeline}/migrate-runs',
  tag: 'pipelines',
  summary: 'Move live runs to another version, a hundred at a time; says of each other one why it stays.',
  access: { scope: 'runs:write', role: 'operator', subject: 'pipeline' },
  params: pipelineParams,
  body: z.strictObject({
    from: version,
    to: version.optional(),
    matching: json.optional().describe('What the input contains.'),
    runs: z.array(uuid).min(1).max(1_000).optional(),
    tenant: name.optional(),
    after: uuid.optional().describe('Only runs behind this one: the last of the answer before.'),
    most: z.int().min(1).max(100).default(100),
    dry_run: z.boolean().default(false),
  }),
  answer: z.object({
    items: z.array(z.object({ run_id: uuid, moved: z.boolean(), reason: z.string().nullable() })),
  }),
  errors: ['pipeline_unknown', 'argument_invalid'],
})

const listPausedKeys = operation({
  name: 'listPausedKeys',
  method: 'get',
  path: '/paused-keys',
  tag: 'pipelines',
  summary:
    'List the run keys whose starts are refused since too many of their runs failed in a row; the newest first, 1,000 at most.',
  access: { scope: 'pipelines:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ pipeline: slug.optional() }),
  answer: z.object({ items: z.array(pausedKey) }),
})

const resumeKey = operation({
  name: 'resumeKey',
  method: 'post',
  path: '/pipelines/{pipeline}/resume-key',
  tag: 'pipelines',
  summary: 'Take starts of a paused run key again, and count its failures anew.',
  access: steers,
  params: pipelineParams,
  body: z.strictObject({ key: text(2_000), tenant: name.optional() }),
  answer: changed,
  errors: ['pipeline_unknown'],
})

export const pipelineOperations = {
  listPipelines,
  pipelineInventory,
  showPipeline,
  listVersions,
  pipelineOutcomes,
  pausePipeline,
  resumePipeline,
  activatePipeline,
  splitPipeline,
  migrateRuns,
  listPausedKeys,
  resumeKey,
} as const
