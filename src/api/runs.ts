// The operations on runs.
import { z } from 'zod'
import { runStates } from '../core/state.ts'
import { runAccount, runError, runLineage, toldReports } from './accounts.ts'
import { headers } from './headers.ts'
import { operation } from './operation.ts'
import { redriveFrom } from './redrives.ts'
import { run, statesQuery } from './run.ts'
import { runParams } from './run-params.ts'
import {
  flag,
  json,
  name,
  pageOf,
  pageQuery,
  payloadsHidden,
  reason,
  slug,
  stepName,
  time,
  uuid,
  whole,
} from './values.ts'

const listRuns = operation({
  name: 'listRuns',
  method: 'get',
  path: '/runs',
  tag: 'runs',
  summary: 'List runs, the newest first.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({
    ...pageQuery,
    pipeline: slug.optional(),
    state: statesQuery.optional(),
    key: z.string().max(500).optional(),
    tenant: name.optional(),
    fingerprint: z.string().max(100).optional().describe('Only failures of this kind.'),
    needs: flag.optional().describe('Say of each which version it needs that no live worker serves.'),
  }),
  answer: pageOf(
    run
      .extend({
        needs: z
          .object({ version: z.int(), queue: z.string(), step: z.string() })
          .nullable()
          .optional()
          .describe('Where it stands still because no live worker serves its version; only if asked for.'),
      })
      .meta({ id: 'ListedRun' }),
  ),
})

const startOptions = {
  priority: z.int().min(1).max(9).optional().describe('From 1, first, to 9, last; 5 unless told.'),
  available_at: time.optional().describe('Not before this time.'),
  tenant: name.optional(),
  headers: headers.optional().describe('Carried along, never interpreted.'),
}

const startAnswer = z
  .object({
    created: z.boolean(),
    reason: z.enum(['live', 'repeated', 'coalesced', 'paused', 'limit']).optional(),
    run: z.object({ id: uuid }).nullable(),
    rule: z.string().optional(),
    passes_at: time.nullable().optional(),
    why: z.string().optional(),
  })
  .meta({ id: 'StartAnswer' })

const startCodes = [
  'pipeline_unknown',
  'input_invalid',
  'json_invalid',
  'json_too_large',
  'idempotency_conflict',
  'key_value_missing',
  'encryption_key_missing',
  'start_option_invalid',
] as const

const startRun = operation({
  name: 'startRun',
  method: 'post',
  path: '/runs',
  tag: 'runs',
  summary: 'Start a run; answers once it is committed.',
  access: { scope: 'runs:start', role: 'operator', subject: 'list' },
  body: z.strictObject({
    pipeline: slug,
    input: json.optional(),
    ...startOptions,
    run: uuid.optional().describe('A version 7 UUID of your own: the same id is the same start.'),
  }),
  answer: startAnswer,
  status: 201,
  errors: [...startCodes, 'run_id_off_clock', 'start_held_up'],
  ownIdempotency: 'handled',
  bodyBytesMax: 1_200_000,
})

/** How many runs one request may start; they are one transaction. */
export const startsMax = 1_000

const startMany = operation({
  name: 'startMany',
  method: 'post',
  path: '/runs/many',
  tag: 'runs',
  summary:
    'Start a run for each input, all of them or, where one is refused, none; answers in the order of the inputs.',
  access: { scope: 'runs:start', role: 'operator', subject: 'list' },
  body: z.strictObject({
    pipeline: slug,
    inputs: z.array(json).min(1).max(startsMax),
    ...startOptions,
  }),
  answer: z.object({ starts: z.array(startAnswer) }),
  status: 201,
  errors: startCodes,
  bodyBytesMax: 10_485_760,
})

const changedAnswer = z
  .object({ changed: z.boolean().describe('false: it was so already, or it had ended.') })
  .meta({ id: 'Changed' })

const cancelRun = operation({
  name: 'cancelRun',
  method: 'post',
  path: '/runs/{run}/cancel',
  tag: 'runs',
  summary: 'Cancel a run: its steps that run are aborted, the others never begin.',
  access: { scope: 'runs:write', role: 'operator', subject: 'run' },
  params: runParams,
  body: z.strictObject({ reason, undo: z.boolean().optional().describe('Undo first what it completed.') }),
  answer: changedAnswer,
  errors: ['run_unknown', 'revision_conflict'],
  revised: true,
})

const pauseRun = operation({
  name: 'pauseRun',
  method: 'post',
  path: '/runs/{run}/pause',
  tag: 'runs',
  summary: 'Pause a run: none of its steps begins until it is resumed.',
  access: { scope: 'runs:write', role: 'operator', subject: 'run' },
  params: runParams,
  body: z.strictObject({ reason }),
  answer: changedAnswer,
  errors: ['run_unknown', 'revision_conflict'],
  revised: true,
})

const resumeRun = operation({
  name: 'resumeRun',
  method: 'post',
  path: '/runs/{run}/resume',
  tag: 'runs',
  summary: 'Let a paused run go on.',
  access: { scope: 'runs:write', role: 'operator', subject: 'run' },
  params: runParams,
  body: z.strictObject({}),
  answer: changedAnswer,
  errors: ['run_unknown', 'revision_conflict'],
  revised: true,
})

const prioritizeRun = operation({
  name: 'prioritizeRun',
  method: 'post',
  path: '/runs/{run}/prioritize',
  tag: 'runs',
  summary: 'Give a run another priority.',
  access: { scope: 'runs:write', role: 'operator', subject: 'run' },
  params: runParams,
  body: z.strictObject({ priority: z.int().min(1).max(9).describe('From 1, first, to 9, last.') }),
  answer: changedAnswer,
  errors: ['run_unknown', 'revision_conflict'],
  revised: true,
})

const showRun = operation({
  name: 'showRun',
  method: 'get',
  path: '/runs/{run}',
  tag: 'runs',
  summary: 'Show a run, with what went into it and what came out.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  params: runParams,
  answer: run
    .extend({
      priority: z.int(),
      started_via: z.string().describe('What started it: sdk, http, sql, cli, outside, a trigger.'),
      started_by: z.string(),
      idempotency_key: z.string().nullable(),
      available_at: time.nullable(),
      parent_run_id: uuid.nullable(),
      is_dead_letter: z.boolean().describe('It failed, and nobody has decided on it yet.'),
      input: json,
      output: json,
      output_left_out: z
        .literal(true)
        .optional()
        .describe('The output is larger than 8 MiB: /runs/{run}/outputs gives it page by page.'),
      headers: z.record(z.string(), z.unknown()).nullable(),
      payloads_hidden: payloadsHidden,
    })
    .meta({ id: 'RunDetail' }),
  errors: ['run_unknown'],
})

const accountRun = operation({
  name: 'accountRun',
  method: 'get',
  path: '/runs/{run}/account',
  tag: 'runs',
  summary:
    'Tell the whole story of a run: its steps, attempts, delays and their reasons, and who touched it. Each list is bounded.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  params: runParams,
  answer: runAccount.extend({ payloads_hidden: payloadsHidden }),
  errors: ['run_unknown'],
})

const whyRun = operation({
  name: 'whyRun',
  method: 'get',
  path: '/runs/{run}/why',
  tag: 'runs',
  summary: 'Tell what a run, a step of it or an item of a map waits for.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  params: runParams,
  query: z.strictObject({ step: stepName.optional(), item: whole(0, 2_147_483_647).optional() }),
  answer: z
    .object({
      reason: z.string().describe('A word for programs.'),
      sentence: z.string(),
      step: z.string().nullable(),
      item: z.int().nullable(),
      due_at: time.nullable(),
    })
    .meta({ id: 'Why' }),
  errors: ['run_unknown', 'step_not_in_run'],
})

const readProgress = operation({
  name: 'readProgress',
  method: 'get',
  path: '/runs/{run}/progress',
  tag: 'runs',
  summary: 'Tell how far a run is, and what its steps have said of it.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  params: runParams,
  answer: z
    .object({
      state: z.enum(runStates),
      done: z.int(),
      known: z.int(),
      percent: z.number(),
      ...toldReports,
      payloads_hidden: payloadsHidden,
    })
    .meta({ id: 'Progress' }),
  errors: ['run_unknown'],
})

const runResult = operation({
  name: 'runResult',
  method: 'get',
  path: '/runs/{run}/result',
  tag: 'runs',
  summary:
    'Answer with the output of a run once it has ended, or after some seconds with the state that it is in.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  params: runParams,
  query: z.strictObject({
    wait_seconds: whole(0, 60).default(0).describe('How long to wait for its end at most.'),
  }),
  answer: z
    .object({
      ended: z.boolean(),
      state: z.enum(runStates),
      output: json,
      error: runError.nullable(),
      payloads_hidden: payloadsHidden,
    })
    .meta({ id: 'Result' }),
  errors: ['run_unknown', 'encryption_key_missing', 'output_too_large'],
})

const listOutputs = operation({
  name: 'listOutputs',
  method: 'get',
  path: '/runs/{run}/outputs',
  tag: 'runs',
  summary:
    'List what the final steps of a run gave, and the items of its maps, by the names of the steps; a page ends at 8 MiB.',
  access: { scope: 'payloads:read', role: 'viewer', subject: 'run' },
  params: runParams,
  query: z.strictObject(pageQuery),
  answer: pageOf(
    z
      .object({
        step: z.string(),
        item: z
          .int()
          .nullable()
          .describe('Of a map: the place of the item, from 0; null: of the step itself.'),
        outcome: z.enum(['completed', 'skipped', 'failed', 'reclaimed']),
        output: json,
      })
      .meta({ id: 'Output' }),
  ).extend({ payloads_hidden: payloadsHidden }),
  errors: ['run_unknown', 'encryption_key_missing'],
})

const readLineage = operation({
  name: 'readLineage',
  method: 'get',
  path: '/runs/{run}/lineage',
  tag: 'runs',
  summary: 'Tell of which run a run was made by redrive, fork or rerun, and which were made of it.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  params: runParams,
  answer: runLineage.extend({ payloads_hidden: payloadsHidden }).meta({ id: 'Lineage' }),
  errors: ['run_unknown'],
})

const edit = {
  input: json.optional().describe("In the place of the run's own."),
  version: z.enum(['original', 'latest']).optional().describe('The version that it has, unless told.'),
  reason,
}

const copyCodes = [
  'run_unknown',
  'step_not_in_run',
  'input_invalid',
  'json_invalid',
  'json_too_large',
  'argument_invalid',
  'idempotency_conflict',
  'key_value_missing',
] as const

const redriveRun = operation({
  name: 'redriveRun',
  method: 'post',
  path: '/runs/{run}/redrive',
  tag: 'runs',
  summary: 'Give a failed run fresh attempts where it failed, or put a new run in its place.',
  access: { scope: 'runs:write', role: 'operator', subject: 'run' },
  params: runParams,
  body: z.strictObject({ ...edit, from: redriveFrom.optional() }),
  answer: z.object({
    redriven: z.boolean(),
    run: z.object({ id: uuid }).nullable().describe('The one that goes on: itself, or another in its place.'),
    reason: z.string().optional(),
    detail: z.string().optional(),
  }),
  errors: copyCodes,
})

const copyAnswer = z
  .object({
    created: z.boolean(),
    run: z.object({ id: uuid }).nullable(),
    reason: z.string().optional(),
    detail: z.string().optional(),
  })
  .meta({ id: 'CopyAnswer' })

const forkRun = operation({
  name: 'forkRun',
  method: 'post',
  path: '/runs/{run}/fork',
  tag: 'runs',
  summary: 'Make a new run that begins at a step of this one, with the outputs of what stands before.',
  access: { scope: 'runs:write', role: 'operator', subject: 'run' },
  params: runParams,
  body: z.strictObject({
    step: stepName,
    ...edit,
    keep_checkpoints: z
      .boolean()
      .optional()
      .describe('Also what the step has stored of its durable calls is kept.'),
    run: uuid.optional().describe('A version 7 UUID of your own: the same id is the same new run.'),
  }),
  answer: copyAnswer,
  errors: copyCodes,
})

const rerunRun = operation({
  name: 'rerunRun',
  method: 'post',
  path: '/runs/{run}/rerun',
  tag: 'runs',
  summary: 'Make a new run with the input of this one, or with another.',
  access: { scope: 'runs:write', role: 'operator', subject: 'run' },
  params: runParams,
  body: z.strictObject({
    ...edit,
    run: uuid.optional().describe('A version 7 UUID of your own: the same id is the same new run.'),
  }),
  answer: copyAnswer,
  errors: copyCodes,
})

const deleteRun = operation({
  name: 'deleteRun',
  method: 'delete',
  path: '/runs/{run}',
  tag: 'runs',
  summary: 'Take all of an ended run, and of the runs that it called and waited for, out of the database.',
  access: { scope: 'data:erase', role: 'admin', subject: 'run' },
  params: runParams,
  query: z.strictObject({ dry_run: flag.optional().describe('Only count what would go.'), reason }),
  answer: z.object({
    rows: z.record(z.string(), z.int()).describe('How many of each table.'),
    deleted: z.boolean(),
  }),
  errors: ['run_unknown', 'run_live'],
})

export const runOperations = {
  listRuns,
  startRun,
  startMany,
  showRun,
  accountRun,
  whyRun,
  readProgress,
  runResult,
  listOutputs,
  readLineage,
  cancelRun,
  pauseRun,
  resumeRun,
  prioritizeRun,
  redriveRun,
  forkRun,
  rerunRun,
  deleteRun,
} as const
