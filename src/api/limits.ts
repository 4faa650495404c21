// The operations on limits: rules on how many tasks may run at once, begin in a time, or whose turn it is.
import { z } from 'zod'
import { operation } from './operation.ts'
import { changed, defined, definition, slug, time, uuid, whole, text } from './values.ts'

const limitParams = z.object({ limit: slug })
const path = z.array(text(500, 0)).min(1).max(20)

const settings = z.strictObject({
  kind: z.enum(['concurrency', 'rate', 'breaker', 'fairness']),
  key: z.array(path).max(10).optional(),
  capacity: z.int().min(1).max(1_000_000).optional(),
  strategy: z.enum(['wait', 'reject_newest', 'cancel_oldest']).optional(),
  fifo: z.enum(['block', 'pass']).optional(),
  units: z.number().optional(),
  per_ms: z.number().optional(),
  burst: z.int().optional(),
  units_path: path.optional(),
  failures: z.int().optional(),
  window_ms: z.number().optional(),
  cooldown_ms: z.number().optional(),
  weights: z.record(text(500, 0), z.int().min(1).max(1_000)).optional(),
  default_weight: z.int().min(1).max(1_000).optional(),
})

const targets = z
  .array(
    z.strictObject({
      slug: slug.optional(),
      step: text(200).optional(),
      queue: text(200).optional(),
    }),
  )
  .max(1_000)

const limitKey = z.object({
  key: z.string(),
  used: z.number(),
  capacity: z.int().nullable().optional(),
  waiting: z.number().describe('Counted up to 10,000.'),
  full_until: time.nullable().optional(),
  open_until: time.nullable().optional(),
  held_until: time.nullable().optional(),
  head_run: uuid.nullable().optional(),
  head_step: z.string().nullable().optional(),
  head_since: time.nullable().optional(),
  weight: z.number().nullable().optional(),
})

const limit = z
  .object({
    name: z.string(),
    kind: z.string(),
    settings: z.record(z.string(), z.unknown()),
    targets: z.array(
      z.object({ slug: z.string().optional(), step: z.string().optional(), queue: z.string().optional() }),
    ),
    ...definition,
    busiest: z.array(limitKey).describe('Its busiest keys.'),
  })
  .meta({ id: 'Limit' })

const reads = { scope: 'limits:read', role: 'viewer', subject: 'installation' } as const
const writes = { scope: 'limits:write', role: 'operator', subject: 'installation' } as const

const listLimits = operation({
  name: 'listLimits',
  method: 'get',
  path: '/limits',
  tag: 'limits',
  summary: 'List limits by name, 1,000 at most, each with its busiest keys.',
  access: reads,
  query: z.strictObject({ keys: whole(0, 100).default(10) }),
  answer: z.object({ items: z.array(limit) }),
})

const showLimit = operation({
  name: 'showLimit',
  method: 'get',
  path: '/limits/{limit}',
  tag: 'limits',
  summary: 'Show a limit with its busiest keys.',
  access: reads,
  params: limitParams,
  query: z.strictObject({ keys: whole(0, 1_000).default(10) }),
  answer: limit,
  errors: ['limit_unknown'],
})

const defineLimit = operation({
  name: 'defineLimit',
  method: 'put',
  path: '/limits/{limit}',
  tag: 'limits',
  summary: "Define a limit, or change it while runs are under way; from then on it is an operator's.",
  access: writes,
  params: limitParams,
  body: z.strictObject({
    settings,
    targets: targets
      .optional()
      .describe('What it holds for: a pipeline, a step of one, a queue; what it holds for now unless told.'),
  }),
  answer: defined,
  errors: ['limit_invalid', 'limit_blocked', 'argument_invalid', 'revision_conflict'],
  revised: true,
})

const removeLimit = operation({
  name: 'removeLimit',
  method: 'delete',
  path: '/limits/{limit}',
  tag: 'limits',
  summary: 'Remove a limit: what waited for it goes on.',
  access: writes,
  params: limitParams,
  answer: changed,
  errors: ['limit_blocked', 'revision_conflict'],
  revised: true,
})

export const limitOperations = { listLimits, showLimit, defineLimit, removeLimit } as const
