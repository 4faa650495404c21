// Owns the commands of millrace audit-trail, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { exportCommand } from './export.ts'
import { listCommand } from './list.ts'
import { pruneCommand } from './prune.ts'
import { verifyCommand } from './verify.ts'

export function auditTrailGroup(current: CurrentSession): Command {
  return group('audit-trail', 'see who changed what, export it, check that nothing of it was changed', [
    listCommand(current),
    exportCommand(current),
    verifyCommand(current),
    pruneCommand(current),
  ])
}
