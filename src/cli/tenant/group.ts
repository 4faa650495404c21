// Owns the commands of millrace tenant, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { rolesCommand, assignCommand, unassignCommand } from './assign.ts'
import { eraseCommand } from './erase.ts'

export function tenantGroup(current: CurrentSession): Command {
  return group('tenant', 'say which database roles stand for which tenants; erase a tenant', [
    rolesCommand(current),
    assignCommand(current),
    unassignCommand(current),
    eraseCommand(current),
  ])
}
