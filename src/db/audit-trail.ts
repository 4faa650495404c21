// The SQL functions of the audit trail: read, sealed, exported, checked and pruned.
import type { Caller } from './call.ts'

export interface AuditRow {
  readonly id: number
  readonly at: Date
  readonly login: string
  readonly actor: string | null
  readonly actor_kind: string | null
  readonly actor_id: string | null
  readonly agent: string | null
  readonly address: string | null
  readonly user_agent: string | null
  readonly correlation_id: string | null
  readonly action: string
  readonly subject_kind: string
  readonly subject: string
  readonly before: Readonly<Record<string, unknown>> | null
  readonly after: Readonly<Record<string, unknown>> | null
  readonly detail: Readonly<Record<string, unknown>>
  /** In the chain; null until it is sealed. */
  readonly position: number | null
}

export interface AuditFilter {
  /** In whose name, or by which login. */
  readonly actor?: string | undefined
  readonly action?: string | undefined
  readonly subjectKind?: string | undefined
  readonly subject?: string | undefined
  readonly since?: Date | undefined
  readonly until?: Date | undefined
  /** Only entries older than this one. */
  readonly before?: number | undefined
  readonly limit: number
}

/** Entries, the newest first. */
export function listAuditEntries(caller: Caller, filter: AuditFilter): Promise<AuditRow[]> {
  return caller.call<AuditRow>(
    {
      name: 'millrace_list_audit_entries',
      text: `select id::float8 as id, at, login, actor_name as actor, actor_kind, actor_id, agent, address, user_agent, correlation_id, action_name as action,
          kind as subject_kind, subject_name as subject, before, after, detail, position::float8 as position
        from millrace.list_audit_entries($1, $2, $3, $4, $5::timestamptz, $6::timestamptz, $7::bigint, $8)`,
    },
    [
      filter.actor ?? null,
      filter.action ?? null,
      filter.subjectKind ?? null,
      filter.subject ?? null,
      filter.since ?? null,
      filter.until ?? null,
      filter.before ?? null,
      filter.limit,
    ],
  )
}

/** Puts committed entries into the chain, at most so many; answers how many. */
export async function sealAuditTrail(caller: Caller, batch: number): Promise<number> {
  const rows = await caller.call<{ sealed: number }>(
    { name: 'millrace_seal_audit_trail', text: 'select millrace.seal_audit_trail($1) as sealed' },
    [batch],
  )
  return rows[0]!.sealed
}

export interface SealedEntry {
  readonly position: number
  /** 64 hexadecimal digits. */
  readonly hash: string
  /** JSON text, as it was hashed. */
  readonly entry: string
}

/** The chain behind a position. */
export function exportAuditTrail(caller: Caller, after: number, limit: number): Promise<SealedEntry[]> {
  return caller.call<SealedEntry>(
    {
      name: 'millrace_export_audit_trail',
      text: 'select position::float8 as position, hash, entry from millrace.export_audit_trail($1::bigint, $2)',
    },
    [after, limit],
  )
}

/** What is wrong: a position that is missing, an entry that was changed or is gone, or one that no seal holds. */
export interface AuditFault {
  readonly fault: 'missing' | 'changed' | 'entry_missing' | 'unsealed'
  readonly position?: number | undefined
  readonly entry?: number | undefined
}

export interface VerifyAnswer {
  readonly through: number
  readonly hash: string
  readonly faults: readonly AuditFault[]
  readonly more: boolean
}

/** Reckons a part of the chain anew; after null from where it begins. */
export async function verifyAuditTrail(
  caller: Caller,
  after: number | null,
  limit: number,
): Promise<VerifyAnswer> {
  const rows = await caller.call<VerifyAnswer>(
    {
      name: 'millrace_verify_audit_trail',
      text: 'select through::float8 as through, hash, faults, more from millrace.verify_audit_trail($1::bigint, $2)',
    },
    [after, limit],
  )
  return rows[0]!
}

export interface AuditGuards {
  /** The owner of its tables. */
  readonly owner: string
  readonly owner_logs_in: boolean
  readonly triggers_off: readonly string[]
}

export async function auditGuards(caller: Caller): Promise<AuditGuards> {
  const rows = await caller.call<AuditGuards>(
    {
      name: 'millrace_audit_guards',
      text: 'select owner, owner_logs_in, triggers_off from millrace.audit_guards()',
    },
    [],
  )
  return rows[0]!
}

export interface AuditPruned {
  /** Up to where the trail is gone. */
  readonly through: number
  readonly removed: number
  readonly more: boolean
}

/** One batch. @throws MillraceError audit_export_unknown */
export async function pruneAuditTrail(
  caller: Caller,
  end: { readonly position: number; readonly hash: string },
  batch: number,
): Promise<AuditPruned> {
  const rows = await caller.call<AuditPruned>(
    {
      name: 'millrace_prune_audit_trail',
      text: 'select through::float8 as through, removed, more from millrace.prune_audit_trail($1::bigint, $2, $3)',
    },
    [end.position, end.hash, batch],
  )
  return rows[0]!
}
