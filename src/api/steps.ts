// The operations of executors outside: programs that report their own steps, under the same fence and into the same account.
import { z } from 'zod'
import { operation } from './operation.ts'
import { runParams, stepParams } from './run-params.ts'
import { headers } from './headers.ts'
import { json, name, payloadsHidden, slug, time, uuid } from './values.ts'

const executes = { scope: 'steps:execute', role: 'operator', subject: 'run' } as const

/** Which attempt reports: the token that the start of the step answered. */
const held = {
  attempt: z.int().min(1).max(2_147_483_647),
  item: z.int().min(0).max(2_147_483_647).optional().describe('Of a map: the place of the item.'),
}

/** What was thrown. */
const thrown = z
  .strictObject({
    code: z.string().max(200).optional(),
    message: z.string().max(10_000),
    retryable: z.boolean().optional().describe('false: a retry would only repeat it.'),
    retry_after_seconds: z.number().min(0).max(31_536_000).optional(),
  })
  .meta({ id: 'Thrown' })
export type Thrown = z.output<typeof thrown>

const ensureRun = operation({
  name: 'ensureRun',
  method: 'post',
  path: '/runs/ensure',
  tag: 'executors outside',
  summary: 'Answer with the one live run of the input’s key, started if there is none.',
  access: { scope: 'steps:execute', role: 'operator', subject: 'list' },
  body: z.strictObject({
    pipeline: slug,
    input: json.optional(),
    tenant: name.optional(),
    headers: headers.optional(),
    silence_seconds: z
      .int()
      .min(1)
      .max(31_536_000)
      .optional()
      .describe('The run fails when nothing is heard of it for so long.'),
    run: uuid.optional().describe('A version 7 UUID of your own: the same id is the same start.'),
  }),
  answer: z.object({
    created: z.boolean(),
    reason: z.enum(['live', 'repeated', 'coalesced', 'paused', 'limit']).optional(),
    run: z.object({ id: uuid }).nullable(),
    why: z.string().optional(),
  }),
  errors: ['pipeline_unknown', 'key_value_missing', 'json_invalid', 'json_too_large', 'start_option_invalid'],
})

const startStep = operation({
  name: 'startStep',
  method: 'post',
  path: '/runs/{run}/steps/{step}/start',
  tag: 'executors outside',
  summary: 'Take a step for so many seconds.',
  access: executes,
  params: stepParams,
  body: z.strictObject({
    item: held.item,
    lease_seconds: z
      .int()
      .min(1)
      .max(31_536_000)
      .default(300)
      .describe('Until the step counts as abandoned, unless heartbeats prolong it.'),
    name: name.optional().describe('Who reports, as the account shows it.'),
    holder: uuid
      .optional()
      .describe('An id made for this hold: asked again with it, the answer is the same.'),
  }),
  answer: z.object({
    started: z.boolean(),
    reason: z
      .string()
      .nullable()
      .describe('Why not: paused, held, not ready, final, run ended, or what it waits for.'),
    attempt: z.int().nullable().describe('The token of everything after.'),
    item_value: json,
    payloads_hidden: payloadsHidden,
    lease_expires_at: time.nullable(),
  }),
  errors: ['run_unknown', 'step_not_in_run', 'argument_invalid', 'holder_taken'],
})

const heartbeatStep = operation({
  name: 'heartbeatStep',
  method: 'post',
  path: '/runs/{run}/steps/{step}/heartbeat',
  tag: 'executors outside',
  summary: 'Prolong the hold on a step.',
  access: executes,
  params: stepParams,
  body: z.strictObject(held),
  answer: z.object({ wanted: z.boolean().describe('false: the run is being ended, stop.') }),
  errors: ['attempt_lost'],
})

const logStep = operation({
  name: 'logStep',
  method: 'post',
  path: '/runs/{run}/steps/{step}/log',
  tag: 'executors outside',
  summary: 'Write a line into the account of the run.',
  access: executes,
  params: stepParams,
  body: z.strictObject({
    ...held,
    message: z.string().max(4_000),
    fields: z.record(z.string().max(200), json).optional(),
  }),
  errors: ['attempt_lost', 'json_invalid', 'json_too_large', 'encryption_required'],
})

/** What a step may say while it runs. */
const stepReport = z.discriminatedUnion('kind', [
  z.strictObject({
    ...held,
    kind: z.literal('progress'),
    done: z.number().min(0),
    total: z.number().min(0).optional(),
    note: z.string().max(200).optional(),
  }),
  z.strictObject({ ...held, kind: z.literal('metadata'), patch: z.record(z.string().max(200), json) }),
  z.strictObject({
    ...held,
    kind: z.literal('metric'),
    name: z.string().max(63),
    value: z.number(),
    labels: z.record(z.string().max(63), z.string().max(100)).optional(),
  }),
  z.strictObject({
    ...held,
    kind: z.literal('part'),
    value: json,
    number: z
      .int()
      .min(0)
      .max(2_147_483_647)
      .optional()
      .describe('Which part of the attempt: sent again, it is written once.'),
  }),
])
export type StepReport = z.output<typeof stepReport>

const reportStep = operation({
  name: 'reportStep',
  method: 'post',
  path: '/runs/{run}/steps/{step}/report',
  tag: 'executors outside',
  summary:
    'Say something of a step while it runs: its progress, metadata or a metric of the run, or a part of its stream.',
  access: executes,
  params: stepParams,
  body: stepReport,
  errors: [
    'attempt_lost',
    'argument_invalid',
    'progress_invalid',
    'metric_invalid',
    'json_invalid',
    'json_too_large',
    'encryption_required',
  ],
})

const completeStep = operation({
  name: 'completeStep',
  method: 'post',
  path: '/runs/{run}/steps/{step}/complete',
  tag: 'executors outside',
  summary: 'Complete a step with its output.',
  access: executes,
  params: stepParams,
  body: z.strictObject({ ...held, output: json.optional() }),
  answer: z.object({
    recorded: z.boolean().describe('false: it was recorded before, and its answer was lost.'),
  }),
  errors: ['attempt_lost', 'json_invalid', 'json_too_large', 'encryption_required'],
  bodyBytesMax: 1_200_000,
})

const failStep = operation({
  name: 'failStep',
  method: 'post',
  path: '/runs/{run}/steps/{step}/fail',
  tag: 'executors outside',
  summary: 'Fail a step; answers when it can be taken again.',
  access: executes,
  params: stepParams,
  body: z.strictObject({ ...held, error: thrown }),
  answer: z.object({ retry_at: time.nullable().describe('null: there is no other try.') }),
  errors: ['attempt_lost'],
})

const releaseStep = operation({
  name: 'releaseStep',
  method: 'post',
  path: '/runs/{run}/steps/{step}/release',
  tag: 'executors outside',
  summary: 'Give a step back unfinished; no failure is counted.',
  access: executes,
  params: stepParams,
  body: z.strictObject({ ...held, reason: z.string().max(1_000).optional() }),
  errors: ['attempt_lost'],
})

const completeRun = operation({
  name: 'completeRun',
  method: 'post',
  path: '/runs/{run}/complete',
  tag: 'executors outside',
  summary: 'Say that a run reported from outside has ended, or, with an error, that it has failed.',
  access: executes,
  params: runParams,
  body: z.strictObject({ error: thrown.optional() }),
  answer: z.object({ state: z.enum(['completed', 'failed', 'cancelled']) }),
  errors: ['run_unknown', 'run_unfinished'],
})

export const stepOperations = {
  ensureRun,
  startStep,
  heartbeatStep,
  logStep,
  reportStep,
  completeStep,
  failStep,
  releaseStep,
  completeRun,
} as const
