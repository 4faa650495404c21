// The operations on the cache: what lies in it, and removing it before it expires.
import { z } from 'zod'
import { operation } from './operation.ts'
import { name, time, uuid, whole, text } from './values.ts'

const entry = z
  .object({
    scope: z.string(),
    key: z.string(),
    tenant: z.string().nullable(),
    size: z.int().describe('In bytes.'),
    run_id: uuid.describe('Who computed it.'),
    step: z.string(),
    computed_at: time,
    expires_at: time,
  })
  .meta({ id: 'CacheEntry' })

const choice = {
  scope: text(200).optional().describe('A name, a pipeline, or pipeline/step.'),
  key: text(2_000).optional().describe('As the list tells it.'),
  prefix: text(2_000).optional(),
  tenant: name.optional(),
}

const listCache = operation({
  name: 'listCache',
  method: 'get',
  path: '/cache',
  tag: 'data',
  summary: 'List what lies in the cache, without its values, the newest first.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ limit: whole(1, 1_000).default(100), ...choice }),
  answer: z.object({ items: z.array(entry) }),
})

const invalidateCache = operation({
  name: 'invalidateCache',
  method: 'post',
  path: '/cache/invalidate',
  tag: 'data',
  summary: 'Remove values from the cache: all that is given must fit.',
  access: { scope: 'runs:write', role: 'operator', subject: 'list' },
  body: z.strictObject(choice),
  answer: z.object({ removed: z.int() }),
  errors: ['argument_invalid'],
})

export const cacheOperations = { listCache, invalidateCache } as const
