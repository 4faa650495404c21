// The operations on subscriptions: which emitted events start a run of which pipeline.
import { z } from 'zod'
import { operation } from './operation.ts'
import { changed, defined, definition, json, name, pageOf, pageQuery, paused, slug } from './values.ts'
import { inputPaths } from './watches.ts'

const subscriptionParams = z.object({ subscription: name })

const subscription = z
  .object({
    name: z.string(),
    event: z.string(),
    pipeline: z.string(),
    tenant: z.string().nullable(),
    filter: z.record(z.string(), json).nullable(),
    map: z.record(z.string(), z.array(z.string())).nullable(),
    ...definition,
    ...paused,
  })
  .meta({ id: 'Subscription' })

const listSubscriptions = operation({
  name: 'listSubscriptions',
  method: 'get',
  path: '/subscriptions',
  tag: 'events',
  summary: 'List subscriptions by name.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ ...pageQuery, event: name.optional() }),
  answer: pageOf(subscription),
})

const showSubscription = operation({
  name: 'showSubscription',
  method: 'get',
  path: '/subscriptions/{subscription}',
  tag: 'events',
  summary: 'Show a subscription.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'subscription' },
  params: subscriptionParams,
  answer: subscription,
  errors: ['subscription_unknown'],
})

const writes = { scope: 'triggers:write', role: 'operator', subject: 'subscription' } as const
const onSubscription = { tag: 'events', params: subscriptionParams, access: writes, revised: true } as const

const defineSubscription = operation({
  ...onSubscription,
  name: 'defineSubscription',
  method: 'put',
  path: '/subscriptions/{subscription}',
  summary: "Define a subscription, or another one under its name; from then on it is an operator's.",
  access: { ...writes, subject: 'list' },
  body: z.strictObject({
    event: name,
    pipeline: slug,
    tenant: name.optional(),
    filter: z.record(z.string().max(500), json).optional().describe('What the payload must contain.'),
    map: inputPaths.optional().describe('The fields of the input, each with its path into the payload.'),
  }),
  answer: defined,
  errors: ['argument_invalid', 'pipeline_unknown', 'revision_conflict'],
})

const pauseSubscription = operation({
  ...onSubscription,
  name: 'pauseSubscription',
  method: 'post',
  path: '/subscriptions/{subscription}/pause',
  summary: 'Pause a subscription: what is emitted meanwhile starts nothing, and is written down so.',
  body: z.strictObject({}),
  answer: changed,
  errors: ['subscription_unknown', 'revision_conflict'],
})

const resumeSubscription = operation({
  ...onSubscription,
  name: 'resumeSubscription',
  method: 'post',
  path: '/subscriptions/{subscription}/resume',
  summary: 'Let a paused subscription start runs again.',
  body: z.strictObject({}),
  answer: changed,
  errors: ['subscription_unknown', 'revision_conflict'],
})

const removeSubscription = operation({
  ...onSubscription,
  name: 'removeSubscription',
  method: 'delete',
  path: '/subscriptions/{subscription}',
  summary: 'Remove a subscription; code that declares it brings it back.',
  errors: ['subscription_unknown', 'revision_conflict'],
})

export const subscriptionOperations = {
  listSubscriptions,
  showSubscription,
  defineSubscription,
  pauseSubscription,
  resumeSubscription,
  removeSubscription,
} as const
