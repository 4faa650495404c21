// The SQL functions of service accounts: programs that have keys of their own.
import type { Role } from '../core/role.ts'
import type { Caller } from './call.ts'

export interface ServiceAccountRow {
  readonly name: string
  readonly role: Role
  readonly description: string
  readonly created_at: Date
  readonly created_by: string
  readonly disabled_at: Date | null
  readonly disabled_by: string | null
}

/** In the order of their names. */
export function listServiceAccounts(
  caller: Caller,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
): Promise<ServiceAccountRow[]> {
  return caller.call<ServiceAccountRow>(
    {
      name: 'millrace_list_service_accounts',
      text: `select name, role, description, created_at, created_by, disabled_at, disabled_by from millrace.service_account
        where $1::text is null or name > $1 order by name limit $2::int`,
    },
    [after ?? null, limit],
  )
}

/** Answers since when there is one. @throws MillraceError service_account_taken, argument_invalid */
export async function createServiceAccount(
  caller: Caller,
  { name, role, description }: Pick<ServiceAccountRow, 'name' | 'role' | 'description'>,
): Promise<Date> {
  const rows = await caller.call<{ created_at: Date }>(
    {
      name: 'millrace_create_service_account',
      text: 'select millrace.create_service_account($1, $2, $3) as created_at',
    },
    [name, role, description],
  )
  return rows[0]!.created_at
}

/** False where it was so already. @param disabled false enables it again @throws MillraceError service_account_unknown */
export async function disableServiceAccount(
  caller: Caller,
  name: string,
  disabled: boolean,
): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    {
      name: 'millrace_disable_service_account',
      text: 'select millrace.disable_service_account($1, $2) as changed',
    },
    [name, disabled],
  )
  return rows[0]!.changed
}
