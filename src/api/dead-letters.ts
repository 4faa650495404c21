// The operations on dead letters: failed runs that nobody has decided on, one by one and in groups of one kind.
import { z } from 'zod'
import { runStates } from '../core/state.ts'
import { runError } from './accounts.ts'
import { operation } from './operation.ts'
import { name, pageOf, pageQuery, slug, time, uuid, whole } from './values.ts'

const conditions = {
  pipeline: slug.optional(),
  tenant: name.optional(),
}

const listDeadLetters = operation({
  name: 'listDeadLetters',
  method: 'get',
  path: '/dead-letters',
  tag: 'dead letters',
  summary: 'List the failed runs that nobody has decided on, the latest failure first.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({
    ...pageQuery,
    ...conditions,
    fingerprint: z.string().min(1).max(100).optional().describe('Only failures of this kind.'),
  }),
  answer: pageOf(
    z
      .object({
        run: uuid,
        pipeline: z.string(),
        tenant: z.string().nullable(),
        step: z.string().nullable(),
        item: z.int().nullable(),
        fingerprint: z.string().nullable(),
        error: runError,
        failed_at: time,
      })
      .meta({ id: 'DeadLetter' }),
  ),
})

const listFailures = operation({
  name: 'listFailures',
  method: 'get',
  path: '/dead-letters/groups',
  tag: 'dead letters',
  summary: 'List the kinds of failures that wait for a decision, the most frequent first.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({
    ...conditions,
    since: time.optional().describe('Failed at or after this time.'),
    limit: whole(1, 1_000).default(50),
  }),
  answer: z.object({
    items: z.array(
      z
        .object({
          fingerprint: z.string(),
          pipeline: z.string(),
          step: z.string().nullable(),
          code: z.string().nullable(),
          message: z.string().nullable().describe('That of the latest.'),
          runs: z.int(),
          first_at: time,
          last_at: time,
          last_run: uuid,
          last_state: z.enum(runStates),
        })
        .meta({ id: 'FailureGroup' }),
    ),
  }),
})

export const deadLetterOperations = { listDeadLetters, listFailures } as const
