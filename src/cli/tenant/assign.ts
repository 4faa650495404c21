// millrace tenant assign, unassign and roles: which database roles stand for which tenants.
import { Command } from 'commander'
import { assignTenant, listTenantRoles, type TenantRoleRow } from '../../db/tenant-roles.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

export function assignCommand(current: CurrentSession): Command {
  return new Command('assign')
    .description('let the members of a database role see what is of a tenant')
    .argument('<role>', 'the database role; it also takes millrace_tenant')
    .argument('<tenant>', 'the tenant')
    .action(async (role: string, tenant: string) => assign(current, role, tenant))
}

export function unassignCommand(current: CurrentSession): Command {
  return new Command('unassign')
    .description('take that back')
    .argument('<role>', 'the database role')
    .action(async (role: string) => assign(current, role, null))
}

export function rolesCommand(current: CurrentSession): Command {
  return new Command('roles')
    .description('list the database roles that stand for tenants')
    .action(async () => {
      const session = current()
      const { terminal } = session
      const rows = await session.withDatabase(({ caller }) => listTenantRoles(caller))
      terminal.answer(rows)
      if (rows.length === 0) terminal.print('No database role stands for a tenant.')
      else printTable(terminal, columns(new Date()), rows)
    })
}

async function assign(current: CurrentSession, role: string, tenant: string | null): Promise<void> {
  const session = current()
  await session.withDatabase(({ caller }) => assignTenant(caller, role, tenant))
  session.terminal.answer({ role, tenant })
  session.terminal.print(
    tenant === null
      ? `Role ${role} is no tenant's.`
      : `Members of role ${role} see what is of tenant ${tenant}.`,
  )
}

function columns(now: Date): Column<TenantRoleRow>[] {
  return [
    { title: 'role', cell: ({ role }) => role, whole: true },
    { title: 'tenant', cell: ({ tenant }) => tenant },
    { title: 'by', cell: ({ assigned_by }) => assigned_by },
    { title: 'age', cell: ({ assigned_at }) => age(assigned_at, now), whole: true, side: 'right' },
  ]
}
