// The operations on watches: which tables start runs by their changes, and how far behind they are. What touches the tables themselves, installing and
// backfills, is done by their owner on the command line.
import { z } from 'zod'
import { operation } from './operation.ts'
import { pausable } from './pausing.ts'
import {
  changed,
  defined,
  definition,
  json,
  name,
  pageOf,
  pageQuery,
  paused,
  slug,
  time,
  uuid,
  text,
} from './values.ts'

const watchParams = z.object({ watch: slug })
const column = text(63)
const columns = z.array(column).min(1).max(1_600)
export const inputPaths = z.record(text(200, 0), z.array(text(500, 0)).min(1).max(20))

const backfill = z
  .object({
    id: z.int(),
    condition: z.string(),
    state: z.enum(['open', 'done', 'cancelled', 'failed']),
    expected: z.number().describe('As the planner estimates it.'),
    done: z.number(),
    error: z.string().nullable(),
  })
  .meta({ id: 'Backfill' })

const watch = z
  .object({
    name: z.string(),
    pipeline: z.string(),
    relation: z.string().describe('The table, with its schema.'),
    tenant: z.string().nullable(),
    settings: json,
    ...definition,
    ...paused,
    retired_at: time.nullable(),
    installed_at: time.nullable(),
    installed_by: z.string().nullable(),
    problems: z
      .array(z.string())
      .describe('What is wrong with its capture: none where each change is recorded.'),
    waiting: z.int().describe('Changes that are not told yet, counted up to 100,000.'),
    oldest_at: time.nullable(),
    held: z.int(),
    held_reason: z.string().nullable(),
    runs_started: z.number(),
    changes_told: z.number(),
    changes_dropped: z.number(),
    loops_cut: z.number(),
    last_cut: z.object({ run: uuid, key: json, at: time }).nullable(),
    payloads_hidden: z.boolean(),
    gaps: z.int(),
    last_gap: z.string().nullable(),
    backfills: z.array(backfill).describe('The last ten.'),
  })
  .meta({ id: 'Watch' })

const listWatches = operation({
  name: 'listWatches',
  method: 'get',
  path: '/watches',
  tag: 'watches',
  summary: 'List watches by name.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'list' },
  query: z.strictObject(pageQuery),
  answer: pageOf(watch),
})

const showWatch = operation({
  name: 'showWatch',
  method: 'get',
  path: '/watches/{watch}',
  tag: 'watches',
  summary: 'Show a watch: what it says, and what is wrong with it.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'watch' },
  params: watchParams,
  answer: watch,
  errors: ['watch_unknown'],
})

const steered = {
  tag: 'watches',
  params: watchParams,
  access: { scope: 'triggers:write', role: 'operator', subject: 'watch' },
} as const

/** It reads rows of a table, whosever they are. */
const ofAll = {
  ...steered,
  access: { scope: 'triggers:write', role: 'operator', subject: 'installation' },
} as const

const defineWatch = operation({
  ...ofAll,
  name: 'defineWatch',
  method: 'put',
  path: '/watches/{watch}',
  summary:
    'Define a watch, or another one under its name. What it asks of its table is installed with `millrace watch apply`.',
  body: z.strictObject({
    pipeline: slug,
    schema: column.default('public'),
    table: column,
    tenant: name.optional(),
    operations: z
      .array(z.enum(['insert', 'update', 'delete', 'truncate']))
      .min(1)
      .max(4),
    columns: columns.optional(),
    values: columns.optional(),
    when: z
      .strictObject({
        insert: text(20_000, 0).optional(),
        update: text(20_000, 0).optional(),
        delete: text(20_000, 0).optional(),
      })
      .optional()
      .describe(
        'Conditions in SQL come from code and the command line alone; those that stand may be sent along.',
      ),
    key: columns.optional(),
    coalesce_ms: z.int().min(0).max(86_400_000).optional(),
    by_key: z.boolean().optional(),
    record_gaps: z.boolean().optional(),
    tenant_column: column.optional(),
    map: inputPaths.optional(),
  }),
  answer: defined,
  errors: ['watch_invalid', 'revision_conflict'],
  revised: true,
})

const [pauseWatch, resumeWatch] = pausable({
  noun: 'Watch',
  path: '/watches/{watch}',
  of: steered,
  unknown: 'watch_unknown',
  pause: {
    summary: 'Pause a watch: its changes are recorded meanwhile.',
    body: z.strictObject({}),
  },
  resume: { summary: 'Let a paused watch go on: what was recorded starts its runs.' },
})

const removeWatch = operation({
  ...ofAll,
  name: 'removeWatch',
  method: 'delete',
  path: '/watches/{watch}',
  summary: 'Remove a watch whose triggers are gone, with the changes that were not told yet.',
  answer: changed,
  errors: ['watch_invalid', 'revision_conflict'],
  revised: true,
})

const abortBackfill = operation({
  name: 'abortBackfill',
  method: 'post',
  path: '/backfills/{backfill}/abort',
  tag: 'watches',
  summary: 'Abort a backfill; what was told stays told.',
  access: ofAll.access,
  params: z.object({ backfill: z.coerce.number().int().min(1).max(2_147_483_647) }),
  body: z.strictObject({}),
  answer: changed,
  errors: ['watch_unknown'],
})

export const watchOperations = {
  listWatches,
  showWatch,
  defineWatch,
  pauseWatch,
  resumeWatch,
  removeWatch,
  abortBackfill,
} as const
