-- Assigns a database role to a tenant: whoever is a member of it, and of millrace_tenant, sees what is that tenant's. Null takes it back.
create or replace function millrace.assign_tenant(role_name name, tenant text) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  if assign_tenant.tenant is null then
    delete from tenant_role r where r.role_name = assign_tenant.role_name;
    return;
  end if;
  if not exists (select from pg_roles known where known.rolname = assign_tenant.role_name) then
    perform refuse_argument('role_name', 'a role that there is', quote_nullable(assign_tenant.role_name::text));
  end if;
  if (length(assign_tenant.tenant) between 1 and 200) is not true then
    perform refuse_argument('tenant', 'a text of 1 to 200 characters', quote_literal(left(assign_tenant.tenant, 200)));
  end if;
  insert into tenant_role (role_name, tenant, assigned_at, assigned_by)
  values (assign_tenant.role_name, assign_tenant.tenant, millrace.now(), actor())
      on conflict (role_name) do update set tenant = excluded.tenant, assigned_at = excluded.assigned_at, assigned_by = excluded.assigned_by;
end $$;
comment on function millrace.assign_tenant(name, text) is 'Assigns a database role to a tenant; null takes it back.';
