// The audit trail over HTTP.
import type { HttpClient } from '../../client/http-client.ts'
import { MillraceError } from '../../core/errors.ts'
import type { AuditPruned, AuditRow, SealedEntry } from '../../db/audit-trail.ts'
import { entryOf } from '../../sdk/audit-trail.ts'
import { firstOf, given, type RemoteStatements, rowOf } from './statements.ts'

export function auditTrailStatements(client: HttpClient): RemoteStatements {
  return {
    millrace_list_audit_entries: async (
      actor: string | null,
      action: string | null,
      subject_kind: string | null,
      subject: string | null,
      since: Date | null,
      until: Date | null,
      _before: number | null,
      limit: number,
    ) => {
      const times = { since: since?.toISOString(), until: until?.toISOString() }
      const query = given({ actor, action, subject_kind, subject, ...times })
      const found = await firstOf(client.listAuditEntries, { query }, limit)
      return found.map((told) => rowOf<AuditRow>({ ...told, at: new Date(told.at) }))
    },
    // The server does it before it answers.
    millrace_seal_audit_trail: async () => [{ sealed: 0 }],
    millrace_export_audit_trail: async (after: number, limit: number): Promise<SealedEntry[]> => {
      const answer = await client.exportAuditTrail({ query: { after, limit } })
      return linesOf(await answer.text())
    },
    millrace_prune_audit_trail: async (position: number, hash: string): Promise<AuditPruned[]> => [
      { ...(await client.pruneAuditTrail({ body: { position, hash } })), more: false },
    ],
  }
}

/** The entry stays the text that was hashed. @throws MillraceError answer_invalid for what is no line of an export */
function linesOf(text: string): SealedEntry[] {
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const entry = entryOf(line)
    if (entry !== undefined) return entry
    throw new MillraceError('answer_invalid', 'The server answered with a line that is none of an export.')
  })
}
