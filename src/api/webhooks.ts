// The operations on webhooks and their deliveries: what came, judging it once more, and the secrets that prove it.
import { z } from 'zod'
import { deliveryOutcomes, deliveryStates } from '../core/state.ts'
import { operation } from './operation.ts'
import { json, name, pageOf, pageQuery, time, uuid, text } from './values.ts'

const webhookParams = z.object({ webhook: name })

const webhook = z
  .object({
    name: z.string(),
    provider: z.string(),
    pipelines: z.array(z.string()),
    secrets: z.array(z.string()).describe('The names of its secrets.'),
    settings: json,
    kept_days: z.int(),
    revision: z.int(),
    changed_at: time,
    changed_by: z.string(),
    retired_at: time.nullable().describe('Since when no code declares it any more.'),
    accepted: z.int().describe('Of the last day, as the next three.'),
    filtered: z.int(),
    failed: z.int(),
    refused: z.int(),
    last_at: time.nullable(),
  })
  .meta({ id: 'Webhook' })

const delivery = z
  .object({
    id: uuid,
    webhook: z.string(),
    provider_id: z.string().nullable(),
    tenant: z.string().nullable(),
    received_at: time,
    judged_at: time,
    tries: z.int(),
    repeats: z.int(),
    state: z.enum(deliveryStates),
    status: z.int().describe('What its sender was answered.'),
    reason: z.string().nullable(),
    problem: z.string().nullable(),
    content_type: z.string().nullable(),
    headers: z.record(z.string(), z.string()).nullable(),
    payloads_hidden: z.boolean(),
    source_ip: z.string().nullable(),
    body_bytes: z.int().nullable(),
    body_digest: z.string().nullable().describe('The sha256 of the body, in hex; not of encrypted ones.'),
    replay_of: uuid.nullable(),
    replays: z.array(uuid),
    runs: z.array(
      z.object({
        pipeline: z.string(),
        outcome: z.enum(deliveryOutcomes),
        run_id: uuid.nullable(),
        rule: z.string().nullable(),
        passes_at: time.nullable(),
      }),
    ),
  })
  .meta({ id: 'Delivery' })

const reads = { scope: 'triggers:read', role: 'viewer', subject: 'installation' } as const

const listWebhooks = operation({
  name: 'listWebhooks',
  method: 'get',
  path: '/webhooks',
  tag: 'webhooks',
  summary: 'List webhooks by name, with what came of the deliveries of the last day.',
  access: reads,
  query: z.strictObject(pageQuery),
  answer: pageOf(webhook),
})

const showWebhook = operation({
  name: 'showWebhook',
  method: 'get',
  path: '/webhooks/{webhook}',
  tag: 'webhooks',
  summary: 'Show a webhook.',
  access: reads,
  params: webhookParams,
  answer: webhook,
  errors: ['webhook_unknown'],
})

const rotateWebhook = operation({
  name: 'rotateWebhook',
  method: 'post',
  path: '/webhooks/{webhook}/rotate',
  tag: 'webhooks',
  summary:
    'Give the secret of a webhook a value: its first, or its next, beside which the former one counts for a while.',
  access: { scope: 'secrets:write', role: 'admin', subject: 'installation' },
  params: webhookParams,
  body: z.strictObject({
    overlap_seconds: z.int().min(0).max(31_536_000).default(86_400),
    value: text(65_536, 4).optional().describe('One is made unless told.'),
  }),
  answer: z
    .object({
      name: z.string(),
      version: z.int(),
      value: z
        .string()
        .nullable()
        .describe('The value that was made: shown here, and never again; null where you gave it.'),
      overlap_seconds: z.int(),
    })
    .meta({ id: 'NewWebhookSecret' }),
  answersOnce: true,
  errors: ['webhook_unknown', 'secret_invalid', 'encryption_key_missing'],
})

const revokeWebhook = operation({
  name: 'revokeWebhook',
  method: 'post',
  path: '/webhooks/{webhook}/revoke',
  tag: 'webhooks',
  summary: 'End the overlap of a rotation: within a second, the former value counts no more.',
  access: { scope: 'secrets:write', role: 'admin', subject: 'installation' },
  params: webhookParams,
  body: z.strictObject({}),
  answer: z.object({ changed: z.boolean() }),
  errors: ['webhook_unknown'],
})

const conditions = {
  webhook: name.optional(),
  state: z.enum(deliveryStates).optional(),
  since: time.optional().describe('Received at or after this time.'),
  until: time.optional().describe('Received before this time.'),
}

const listDeliveries = operation({
  name: 'listDeliveries',
  method: 'get',
  path: '/deliveries',
  tag: 'webhooks',
  summary: 'List deliveries, the newest first, without what was sent.',
  access: reads,
  query: z.strictObject({ ...pageQuery, ...conditions }),
  answer: pageOf(delivery),
})

const showDelivery = operation({
  name: 'showDelivery',
  method: 'get',
  path: '/deliveries/{delivery}',
  tag: 'webhooks',
  summary: 'Show a delivery, without what was sent.',
  access: reads,
  params: z.object({ delivery: uuid }),
  answer: delivery,
  errors: ['delivery_unknown'],
})

const replayed = z
  .object({
    of: uuid,
    id: uuid.nullable().describe('The replay; that of before, where there has been one.'),
    state: z.enum(deliveryStates),
    reason: z.string().nullable(),
    is_repeat: z.boolean(),
  })
  .meta({ id: 'ReplayedDelivery' })

const replayDeliveries = operation({
  name: 'replayDeliveries',
  method: 'post',
  path: '/deliveries/replay',
  tag: 'webhooks',
  summary:
    'Judge stored deliveries once more, by the functions of the webhooks that this server has: one, or what conditions find, the oldest first.',
  access: { scope: 'triggers:write', role: 'operator', subject: 'installation' },
  body: z.strictObject({
    delivery: uuid.optional(),
    ...conditions,
    limit: z.int().min(1).max(1_000).default(100),
    again: z.boolean().default(false).describe('Also what a replay has answered before.'),
    dry_run: z.boolean().default(false),
  }),
  answer: z.object({ count: z.int(), deliveries: z.array(replayed) }),
  errors: ['delivery_unknown', 'delivery_not_replayable', 'webhook_unknown'],
})

export const webhookOperations = {
  listWebhooks,
  showWebhook,
  rotateWebhook,
  revokeWebhook,
  listDeliveries,
  showDelivery,
  replayDeliveries,
} as const
