// The operations on emitted events: saying what has happened, and seeing what each started.
import { z } from 'zod'
import { operation } from './operation.ts'
import { json, name, pageOf, pageQuery, time, uuid, text } from './values.ts'

const emittedEvent = z
  .object({
    id: z.string(),
    name: z.string(),
    payload: json,
    payloads_hidden: z.boolean(),
    tenant: z.string().nullable(),
    emitted_at: time,
    emitted_by: z.string(),
    run_id: uuid.nullable().describe('The run whose step emitted it.'),
    step: z.string().nullable(),
    depth: z.int().describe('How many subscriptions stand before it in its chain.'),
    settled_at: time.nullable(),
    starts: z.array(
      z.object({
        subscription: z.string(),
        pipeline: z.string(),
        run: uuid.nullable(),
        refusal: z.string().nullable(),
        detail: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'EmittedEvent' })

const listEvents = operation({
  name: 'listEvents',
  method: 'get',
  path: '/events',
  tag: 'events',
  summary: 'List emitted events, the newest first, each with what it started.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ ...pageQuery, name: name.optional(), tenant: name.optional() }),
  answer: pageOf(emittedEvent),
})

const emit = operation({
  name: 'emit',
  method: 'post',
  path: '/events',
  tag: 'events',
  summary: 'Emit an event: each subscription that it fits starts a run.',
  access: { scope: 'runs:start', role: 'operator', subject: 'list' },
  body: z.strictObject({
    name,
    payload: json.optional(),
    tenant: name.optional(),
    idempotency_key: text(500).optional().describe('The same key again is the same event.'),
  }),
  answer: z.object({ id: z.string() }),
  status: 201,
  errors: ['json_invalid', 'json_too_large', 'argument_invalid'],
})

export const eventOperations = { listEvents, emit } as const
