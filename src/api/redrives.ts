// The operations on redrives: fresh attempts for many failed runs, ordered here and carried out by the workers.
import { z } from 'zod'
import { redriveItemStates } from '../core/state.ts'
import { operation } from './operation.ts'
import { name, pageOf, pageQuery, reason, slug, stepName, time, uuid, whole } from './values.ts'

/** Where a redriven run goes on. */
export const redriveFrom = z
  .union([z.enum(['failed', 'start']), z.strictObject({ step: stepName })])
  .describe('Where it failed, at the start, or at a step; where it failed unless told.')

/** Which failed runs: all conditions together. */
export const failureFilter = z
  .strictObject({
    pipeline: slug.optional(),
    tenant: name.optional(),
    step: stepName.optional(),
    code: z.string().min(1).max(200).optional().describe('Of the error.'),
    fingerprint: z.string().min(1).max(100).optional().describe('What failures of one kind have in common.'),
    since: time.optional().describe('Failed at or after this time.'),
    until: time.optional().describe('Failed before this time.'),
  })
  .meta({ id: 'FailureFilter' })

const version = z.enum(['original', 'latest']).optional()

const redrive = z
  .object({
    id: uuid,
    state: z.enum(['open', 'completed', 'aborted']),
    total: z.int(),
    done: z.int(),
    refused: z.int(),
    filter: z.record(z.string(), z.unknown()),
    restart: z.enum(['failed', 'start', 'step']),
    step: z.string().nullable(),
    version: z.enum(['original', 'latest']),
    rate: z.number().nullable().describe('Runs a second; null: as fast as it goes.'),
    reason: z.string().nullable(),
    created_at: time,
    created_by: z.string(),
    finished_at: time.nullable(),
    aborted_by: z.string().nullable(),
  })
  .meta({ id: 'Redrive' })

const redriveParams = z.object({ redrive: uuid })

const planRedrive = operation({
  name: 'planRedrive',
  method: 'post',
  path: '/redrives/plan',
  tag: 'redrives',
  summary: 'Tell how many failed runs would be redriven, and how many refused; nothing is changed.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  body: z.strictObject({ filter: failureFilter, from: redriveFrom.optional(), version }),
  answer: z.object({
    runs: z.int(),
    refused: z.record(z.string(), z.int()).describe('How many, by reason.'),
  }),
  errors: ['argument_invalid'],
})

const startRedrive = operation({
  name: 'startRedrive',
  method: 'post',
  path: '/redrives',
  tag: 'redrives',
  summary:
    'Give fresh attempts to the failed runs that meet these conditions now, as fast or as slowly as told.',
  access: { scope: 'runs:write', role: 'operator', subject: 'list' },
  body: z.strictObject({
    filter: failureFilter,
    from: redriveFrom.optional(),
    version,
    rate: z.number().min(0.001).max(1_000_000).optional().describe('Runs a second.'),
    reason,
  }),
  answer: redrive,
  status: 201,
  errors: ['argument_invalid', 'idempotency_conflict'],
})

const listRedrives = operation({
  name: 'listRedrives',
  method: 'get',
  path: '/redrives',
  tag: 'redrives',
  summary: 'List redrives, the newest first.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ ...pageQuery, state: z.enum(['open']).optional() }),
  answer: pageOf(redrive),
})

const showRedrive = operation({
  name: 'showRedrive',
  method: 'get',
  path: '/redrives/{redrive}',
  tag: 'redrives',
  summary: 'Show how far a redrive is.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'redrive' },
  params: redriveParams,
  answer: redrive,
  errors: ['redrive_unknown'],
})

const listRedrivenRuns = operation({
  name: 'listRedrivenRuns',
  method: 'get',
  path: '/redrives/{redrive}/runs',
  tag: 'redrives',
  summary: 'List what became of the runs of a redrive: those that were refused first.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'redrive' },
  params: redriveParams,
  query: z.strictObject({ limit: whole(1, 1_000).default(100) }),
  answer: z.object({
    items: z.array(
      z.object({
        run: uuid,
        state: z.enum(redriveItemStates),
        reason: z.string().nullable().describe('Why it was refused: a word for programs.'),
        detail: z.string().nullable(),
        new_run: uuid.nullable().describe('The run that took its place; null where it goes on itself.'),
      }),
    ),
  }),
  errors: ['redrive_unknown'],
})

const abortRedrive = operation({
  name: 'abortRedrive',
  method: 'post',
  path: '/redrives/{redrive}/abort',
  tag: 'redrives',
  summary: 'Abort a redrive: what is done stays done.',
  access: { scope: 'runs:write', role: 'operator', subject: 'redrive' },
  params: redriveParams,
  body: z.strictObject({}),
  answer: z.object({ changed: z.boolean().describe('false: nothing was left to do.') }),
  errors: ['redrive_unknown'],
})

export const redriveOperations = {
  planRedrive,
  startRedrive,
  listRedrives,
  showRedrive,
  listRedrivenRuns,
  abortRedrive,
} as const
