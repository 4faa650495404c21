// The operations on the audit trail: read it, export it, reckon its chain anew, prune what was exported.
import { z } from 'zod'
import { operation } from './operation.ts'
import { name, pageOf, pageQuery, time, whole } from './values.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'it is no hash: 64 hexadecimal digits')
const position = whole(0, 999_999_999_999)

/** What was changed, by whom, from where, and what it was before and after. */
const auditEntry = z
  .object({
    id: z.int(),
    at: time,
    login: z.string().describe('Who was connected to the database.'),
    actor: z.string().nullable().describe('In whose name; null: in its own.'),
    actor_kind: z.string().nullable(),
    actor_id: z.string().nullable(),
    agent: z.string().nullable().describe('asks or acts, where an agent acted by a key.'),
    address: z.string().nullable(),
    user_agent: z.string().nullable(),
    correlation_id: z.string().nullable(),
    action: z.string(),
    subject_kind: z.string(),
    subject: z.string(),
    before: z.record(z.string(), z.unknown()).nullable(),
    after: z.record(z.string(), z.unknown()).nullable(),
    detail: z.record(z.string(), z.unknown()),
    position: z.int().nullable().describe('In the chain; null until it is sealed.'),
  })
  .meta({ id: 'AuditEntry' })

const access = { scope: 'audit:read', role: 'admin', subject: 'installation' } as const

const listAuditEntries = operation({
  name: 'listAuditEntries',
  method: 'get',
  path: '/audit-trail',
  tag: 'audit trail',
  summary: 'List what was changed by whom, the newest first.',
  access,
  query: z.strictObject({
    ...pageQuery,
    actor: name.optional().describe('In whose name, or by which login.'),
    action: z
      .string()
      .max(100)
      .regex(/^[a-z_]+\.[a-z_]+$/, 'it is no action, such as run.cancelled')
      .optional(),
    subject_kind: z
      .string()
      .max(63)
      .regex(/^[a-z_]+$/, 'it is no kind, such as run')
      .optional(),
    subject: z.string().max(500).optional(),
    since: time.optional(),
    until: time.optional(),
  }),
  answer: pageOf(auditEntry),
})

const exportAuditTrail = operation({
  name: 'exportAuditTrail',
  method: 'get',
  path: '/audit-trail/export',
  tag: 'audit trail',
  summary:
    'Export the trail as lines of JSON, each with its position and the hash that holds all before it. Go on behind the last position.',
  access,
  query: z.strictObject({
    after: position.default(0).describe('The position that the export before ended with.'),
    limit: whole(1, 10_000).default(1_000),
  }),
  media: 'application/x-ndjson',
})

const chainEnd = z.object({ position: z.int(), hash: z.string() })

const verifyAuditTrail = operation({
  name: 'verifyAuditTrail',
  method: 'get',
  path: '/audit-trail/verify',
  tag: 'audit trail',
  summary: 'Reckon the chain anew, and compare it with an end that was kept.',
  access,
  query: z.strictObject({
    position: position.optional().describe('Of an end that was kept; with its hash.'),
    hash: hash.optional(),
  }),
  answer: z
    .object({
      end: chainEnd.describe('Keep it: a chain that is written anew does not hold it.'),
      faults: z
        .array(
          z.object({
            fault: z.enum(['missing', 'changed', 'entry_missing', 'unsealed']),
            position: z.int().optional(),
            entry: z.int().optional(),
          }),
        )
        .describe('At most twenty.'),
      guards: z.object({ owner: z.string(), owner_logs_in: z.boolean(), triggers_off: z.array(z.string()) }),
    })
    .meta({ id: 'VerifiedTrail' }),
})

const pruneAuditTrail = operation({
  name: 'pruneAuditTrail',
  method: 'post',
  path: '/audit-trail/prune',
  tag: 'audit trail',
  summary: 'Remove what was exported and is older than 90 days.',
  access: { ...access, scope: 'data:erase' },
  body: z.strictObject({
    position: z.int().min(1).max(999_999_999_999).describe('The end of the export.'),
    hash,
  }),
  answer: z.object({
    removed: z.int(),
    through: z.int().describe('Up to where the trail is gone.'),
  }),
  errors: ['audit_export_unknown'],
})

export const auditTrailOperations = {
  listAuditEntries,
  exportAuditTrail,
  verifyAuditTrail,
  pruneAuditTrail,
} as const
