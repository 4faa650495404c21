// The operations on what is kept of a tenant: erasing it; and encrypting anew what lies under an older key.
import { z } from 'zod'
import { operation } from './operation.ts'
import { name, reason, uuid } from './values.ts'

const eraseTenant = operation({
  name: 'eraseTenant',
  method: 'post',
  path: '/tenants/{tenant}/erase',
  tag: 'tenants',
  summary:
    'Take a batch of a tenant out of every table: called again with the erasure of its answer until there is no more.',
  access: { scope: 'data:erase', role: 'admin', subject: 'installation' },
  params: z.object({ tenant: name }),
  body: z.strictObject({
    dry_run: z.boolean().default(false).describe('Only count what would go.'),
    erasure: uuid.optional().describe('That of the answer before.'),
    batch: z.int().min(1).max(1_000).default(500).describe('How many runs go at once.'),
    reason,
  }),
  answer: z
    .object({
      erasure: uuid.nullable().describe('The id of the record; null where nothing was erased.'),
      counts: z
        .record(z.string(), z.number())
        .describe('How many rows of each table, since the erasure began.'),
      more: z.boolean(),
    })
    .meta({ id: 'Erased' }),
  errors: ['run_live', 'argument_invalid'],
})

const reencrypt = operation({
  name: 'reencrypt',
  method: 'post',
  path: '/encryption/rotate',
  tag: 'tenants',
  summary:
    'Encrypt anew, with the first key of the ring of this server, what lies under an older one: called again with the next of its answer until that is null.',
  access: { scope: 'secrets:write', role: 'admin', subject: 'installation' },
  body: z.strictObject({
    after: z
      .string()
      .regex(/^(?:deliveries:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'it is no next of an answer')
      .optional()
      .describe('The next of the answer before.'),
    runs_per_batch: z.int().min(1).max(1_000).default(100),
  }),
  answer: z
    .object({
      key: z.string().describe('The id of the key, never the key.'),
      values: z.int(),
      secrets: z.int(),
      left: z
        .array(z.object({ run: z.string(), place: z.string(), reason: z.string() }))
        .describe('What could not be opened, 1,000 at most.'),
      next: z.string().nullable().describe('null: everything was looked at.'),
    })
    .meta({ id: 'Reencrypted' }),
  errors: ['encryption_key_missing'],
})

export const tenantOperations = { eraseTenant, reencrypt } as const
