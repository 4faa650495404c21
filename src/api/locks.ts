// The operation on named locks: who holds them, and who waits.
import { z } from 'zod'
import { operation } from './operation.ts'
import { name, time, uuid, whole } from './values.ts'

const lock = z
  .object({
    name: z.string(),
    tenant: z.string().nullable(),
    token: z.number().nullable().describe('null for one that waits.'),
    run_id: uuid,
    pipeline: z.string(),
    step: z.string(),
    item: z.int().nullable(),
    worker: z.string(),
    since: time,
    wait_until: time.nullable(),
  })
  .meta({ id: 'LockRequest' })

const listLocks = operation({
  name: 'listLocks',
  method: 'get',
  path: '/locks',
  tag: 'data',
  summary: 'List who holds a lock or waits for one: lock by lock, the holder first.',
  access: { scope: 'limits:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ limit: whole(1, 1_000).default(100), name: name.optional() }),
  answer: z.object({ items: z.array(lock) }),
})

export const lockOperations = { listLocks } as const
