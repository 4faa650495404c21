// Which database roles stand for which tenants.
import type { Caller } from './call.ts'

export interface TenantRoleRow {
  readonly role: string
  readonly tenant: string
  readonly assigned_at: Date
  readonly assigned_by: string
}

export function listTenantRoles(caller: Caller): Promise<TenantRoleRow[]> {
  return caller.call<TenantRoleRow>(
    {
      name: 'millrace_list_tenant_roles',
      text: 'select role_name::text as role, tenant, assigned_at, assigned_by from millrace.tenant_role order by tenant, role_name limit 10000',
    },
    [],
  )
}

/** With null the role is no tenant's any more. @throws MillraceError argument_invalid */
export async function assignTenant(caller: Caller, role: string, tenant: string | null): Promise<void> {
  await caller.call({ name: 'millrace_assign_tenant', text: 'select millrace.assign_tenant($1::name, $2)' }, [
    role,
    tenant,
  ])
}
