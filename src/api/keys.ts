// The operations on API keys, on the service accounts that they may belong to, and on tokens for one run.
import { z } from 'zod'
import { roles } from '../core/role.ts'
import { scopes } from './access.ts'
import { operation } from './operation.ts'
import { runParams } from './run-params.ts'
import { flag, name, pageOf, pageQuery, reason, slug, time, uuid } from './values.ts'

const keyParams = z.object({ key: uuid })
const accountParams = z.object({ account: slug })
const reads = { scope: 'keys:read', role: 'admin', subject: 'installation' } as const
const writes = { scope: 'keys:write', role: 'admin', subject: 'installation' } as const
const secondsMax = 315_360_000

/** An API key as it is shown: never the key itself. */
const apiKey = z
  .object({
    id: uuid,
    name: z.string(),
    prefix: z.string().describe('How the key begins, by which it is recognised.'),
    role: z.enum(roles),
    scopes: z.array(z.string()).nullable().describe('null: all that its role has.'),
    tenant: z.string().nullable(),
    pipelines: z.array(z.string()).nullable(),
    payloads: z.boolean().describe('Whether it sees inputs and outputs.'),
    agent: z.enum(['asks', 'acts']).nullable(),
    requests_per_hour: z.int().nullable().describe('null: the limit of the server.'),
    service_account: z.string().nullable(),
    person_id: uuid.nullable(),
    replaces: uuid.nullable().describe('The key in whose place it came.'),
    created_at: time,
    created_by: z.string(),
    expires_at: time,
    replaced_at: time.nullable(),
    revoked_at: time.nullable(),
    revoked_by: z.string().nullable(),
    revoked_because: z.string().nullable(),
    used_at: time.nullable().describe('When it was used last, some seconds late.'),
    used_from: z.string().nullable(),
    is_live: z.boolean().describe('Whether it is taken now.'),
    warning: z
      .enum(['ends', 'old'])
      .nullable()
      .describe('It ends within 14 days, or is older than keys should become.'),
  })
  .meta({ id: 'ApiKey' })

const livesSeconds = z
  .int()
  .min(1)
  .max(secondsMax)
  .optional()
  .describe('For how long it is taken; as long as keys may live unless told, which is 90 days by default.')

const own = z
  .strictObject({
    id: uuid,
    prefix: z.string().regex(/^mr_[0-9a-f]{12}$/, 'it is not the beginning of a key: mr_ and 12 hex digits'),
    digest: z.string().regex(/^[0-9a-f]{64}$/, 'it is no SHA-256 in hex'),
  })
  .optional()
  .describe(
    'Of a key of your own making, which the server then never sees: its id, how it begins, and its SHA-256.',
  )

const madeKey = z.object({
  id: uuid,
  prefix: z.string(),
  key: z.string().nullable().describe('The key itself. It is shown this once; null where you made it.'),
  expires_at: time,
})

const listApiKeys = operation({
  name: 'listApiKeys',
  method: 'get',
  path: '/keys',
  tag: 'keys',
  summary: 'List API keys, the newest first.',
  access: reads,
  query: z.strictObject({ ...pageQuery, account: slug.optional(), live: flag.optional() }),
  answer: pageOf(apiKey),
})

const showApiKey = operation({
  name: 'showApiKey',
  method: 'get',
  path: '/keys/{key}',
  tag: 'keys',
  summary: 'Show an API key, without the key itself.',
  access: reads,
  params: keyParams,
  answer: apiKey,
  errors: ['api_key_unknown'],
})

const createApiKey = operation({
  name: 'createApiKey',
  method: 'post',
  path: '/keys',
  tag: 'keys',
  summary: 'Make an API key, which may do no more than whoever makes it. The key itself is shown once.',
  access: writes,
  body: z.strictObject({
    name: z
      .string()
      .min(1)
      .max(100)
      .regex(/^\P{Cc}+$/u, 'it holds a control character'),
    role: z.enum(roles).optional().describe('viewer unless told.'),
    scopes: z
      .array(z.enum(scopes))
      .min(1)
      .max(scopes.length)
      .optional()
      .describe('All that its role has unless told.'),
    tenant: name.optional(),
    pipelines: z.array(slug).min(1).max(100).optional(),
    payloads: z.boolean().optional(),
    agent: z.enum(['asks', 'acts']).optional(),
    requests_per_hour: z.int().min(1).max(1_000_000_000).optional(),
    service_account: slug.optional(),
    lives_seconds: livesSeconds,
    own,
  }),
  answer: madeKey,
  status: 201,
  answersOnce: true,
  errors: ['argument_invalid', 'service_account_unknown'],
})

const rotateApiKey = operation({
  name: 'rotateApiKey',
  method: 'post',
  path: '/keys/{key}/rotate',
  tag: 'keys',
  summary: 'Make a key in the place of another one; both are taken until the overlap is over.',
  access: writes,
  params: keyParams,
  body: z.strictObject({
    overlap_seconds: z.int().min(0).max(2_592_000).optional().describe('A day unless told.'),
    lives_seconds: livesSeconds,
    own,
  }),
  answer: madeKey.extend({ old_expires_at: time }),
  status: 201,
  answersOnce: true,
  errors: ['api_key_unknown', 'api_key_over', 'argument_invalid'],
})

const revokeApiKey = operation({
  name: 'revokeApiKey',
  method: 'post',
  path: '/keys/{key}/revoke',
  tag: 'keys',
  summary: 'Revoke an API key: every server refuses it within a second.',
  access: writes,
  params: keyParams,
  body: z.strictObject({ reason }),
  answer: z.object({ changed: z.boolean().describe('false: it was revoked already.') }),
  errors: ['api_key_unknown'],
})

const serviceAccount = z
  .object({
    name: z.string(),
    role: z.enum(roles),
    description: z.string(),
    created_at: time,
    created_by: z.string(),
    disabled_at: time.nullable(),
    disabled_by: z.string().nullable(),
  })
  .meta({ id: 'ServiceAccount' })

const listServiceAccounts = operation({
  name: 'listServiceAccounts',
  method: 'get',
  path: '/service-accounts',
  tag: 'keys',
  summary: 'List service accounts by name.',
  access: reads,
  query: z.strictObject(pageQuery),
  answer: pageOf(serviceAccount),
})

const createServiceAccount = operation({
  name: 'createServiceAccount',
  method: 'post',
  path: '/service-accounts',
  tag: 'keys',
  summary: "Make a service account, whose keys are nobody's own.",
  access: writes,
  body: z.strictObject({ name: slug, role: z.enum(roles), description: z.string().max(500).optional() }),
  answer: z.object({ name: z.string(), created_at: time }),
  status: 201,
  errors: ['service_account_taken', 'argument_invalid'],
})

const switchAccount = {
  method: 'post',
  tag: 'keys',
  access: writes,
  params: accountParams,
  body: z.strictObject({}),
  answer: z.object({ changed: z.boolean() }),
  errors: ['service_account_unknown'],
} as const

const disableServiceAccount = operation({
  ...switchAccount,
  name: 'disableServiceAccount',
  path: '/service-accounts/{account}/disable',
  summary: 'Disable a service account: all its keys are refused within a second.',
})

const enableServiceAccount = operation({
  ...switchAccount,
  name: 'enableServiceAccount',
  path: '/service-accounts/{account}/enable',
  summary: 'Enable a service account again, and its keys that are neither expired nor revoked.',
})

const createRunToken = operation({
  name: 'createRunToken',
  method: 'post',
  path: '/runs/{run}/tokens',
  tag: 'keys',
  summary: 'Make a token by which a browser follows this run for a short time.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'run' },
  params: runParams,
  body: z.strictObject({
    seconds: z
      .int()
      .min(1)
      .max(3_600)
      .optional()
      .describe('For how long it is taken; ten minutes unless told.'),
    payloads: z.boolean().optional().describe('Whether it sees inputs and outputs, where whoever asks does.'),
  }),
  answer: z.object({ token: z.string(), expires_at: time }),
  status: 201,
  answersOnce: true,
  errors: ['run_unknown'],
})

export const keyOperations = {
  listApiKeys,
  showApiKey,
  createApiKey,
  rotateApiKey,
  revokeApiKey,
  listServiceAccounts,
  createServiceAccount,
  disableServiceAccount,
  enableServiceAccount,
  createRunToken,
} as const
