// The operations on callbacks: whom to tell of the end of a run, and what became of each delivery.
import { z } from 'zod'
import { operation } from './operation.ts'
import { flag, pageOf, pageQuery, time, uuid, text } from './values.ts'

const ends = z.enum(['completed', 'failed', 'cancelled'])

const callbackDelivery = z
  .object({
    id: uuid.describe('The webhook-id, the same for each attempt.'),
    run_id: uuid,
    pipeline: z.string(),
    url: z.string(),
    secret: z.string().describe('The name of the secret that signs it.'),
    ended: ends,
    ended_at: time,
    queued_at: time,
    due_at: time.nullable(),
    failed_attempts: z.int(),
    delivered_at: time.nullable(),
    given_up_at: time.nullable(),
    reason: z.string().nullable(),
    disabled: z
      .boolean()
      .describe('Its address answered 410: nothing is sent there until this is sent again.'),
    attempts: z
      .array(
        z.object({
          number: z.int(),
          at: time,
          duration_ms: z.number(),
          status: z.int().nullable(),
          reason: z.string().nullable(),
        }),
      )
      .describe('The last 50.'),
  })
  .meta({ id: 'CallbackDelivery' })

const addCallback = operation({
  name: 'addCallback',
  method: 'post',
  path: '/runs/{run}/callbacks',
  tag: 'callbacks',
  summary: 'Have an address told of the end of a run; at once where it has ended.',
  // Whatever secret it names signs what is sent: that is not for whoever is bound to a part.
  access: { scope: 'triggers:write', role: 'operator', subject: 'installation' },
  params: z.object({ run: uuid }),
  body: z.strictObject({
    url: text(2_000, 9),
    secret: text(200).describe('The name of the secret that signs it.'),
    events: z.array(ends).min(1).max(3).optional().describe('Of which ends; all unless told.'),
  }),
  answer: z.object({ created: z.boolean().describe('false: the address was there already.') }),
  errors: ['run_unknown', 'callback_invalid', 'target_refused'],
})

const listCallbacks = operation({
  name: 'listCallbacks',
  method: 'get',
  path: '/callbacks',
  tag: 'callbacks',
  summary: 'List what addresses were told, or are to be, the newest first.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({
    ...pageQuery,
    run: uuid.optional(),
    open: flag.optional().describe('Only what is not delivered, or only what is.'),
  }),
  answer: pageOf(callbackDelivery),
})

const callbackParams = z.object({ callback: uuid })

const showCallback = operation({
  name: 'showCallback',
  method: 'get',
  path: '/callbacks/{callback}',
  tag: 'callbacks',
  summary: 'Show a delivery of a callback, with its attempts.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'callback' },
  params: callbackParams,
  answer: callbackDelivery,
  errors: ['callback_unknown'],
})

const resendCallback = operation({
  name: 'resendCallback',
  method: 'post',
  path: '/callbacks/{callback}/resend',
  tag: 'callbacks',
  summary: 'Send a delivery once more, with fresh attempts and under the same id.',
  access: { scope: 'triggers:write', role: 'operator', subject: 'callback' },
  params: callbackParams,
  body: z.strictObject({}),
  errors: ['callback_unknown'],
})

export const callbackOperations = { addCallback, listCallbacks, showCallback, resendCallback } as const
