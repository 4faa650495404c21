// The routes of the audit trail.
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { exportAuditTrail, listAuditEntries } from '../../db/audit-trail.ts'
import { lineOf, pruneTrail, sealAll, verifyTrail } from '../../sdk/audit-trail.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { type Route, route } from '../route.ts'

export const auditTrailRoutes: readonly Route[] = [
  route(operations.listAuditEntries, async ({ query, room }) => {
    const { limit, cursor, subject_kind: subjectKind, since, until, ...filter } = query
    const [before] = positionOf(cursor, ['number']) ?? []
    const rows = await listAuditEntries(room.reads, {
      ...filter,
      subjectKind,
      since: since === undefined ? undefined : new Date(since),
      until: until === undefined ? undefined : new Date(until),
      before: before as number | undefined,
      limit: limit + 1,
    })
    return pageOfRows(rows, limit, ({ id }) => [id])
  }),

  route(operations.exportAuditTrail, async ({ query, room }) => {
    await sealAll(room.reads)
    const entries = await exportAuditTrail(room.reads, query.after, query.limit)
    return new Response(entries.map(lineOf).join(''), {
      headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
    })
  }),

  route(operations.verifyAuditTrail, async ({ query, room }) => {
    const { position, hash } = query
    if ((position === undefined) !== (hash === undefined))
      throw new MillraceError(
        'request_invalid',
        'An end that was kept is a position and its hash: give both.',
      )
    return verifyTrail(
      room.reads,
      position === undefined || hash === undefined ? undefined : { position, hash },
    )
  }),

  route(operations.pruneAuditTrail, async ({ body, caller, room }) => {
    await sealAll(room.reads)
    return pruneTrail(caller, body)
  }),
]
