-- Who may do what over PostgREST: the text of a migration of yours (supabase migration new millrace_rights), behind the one that Millrace wrote.

-- Whoever has signed in sees the runs and approvals of the own tenant, and decides on those that name them. The tenant stands in app_metadata, which
-- only your server writes; never take it from user_metadata, which users edit.
grant millrace_tenant to authenticated;
grant millrace_gateway to authenticator;
update millrace.setting set value = '["app_metadata", "tenant_id"]' where name = 'tenant_claim';

-- Your server code, with the secret key, starts, pauses, cancels and redrives.
grant millrace_operator to service_role;

-- The login of the edge worker, which runs steps, and steers nothing. Give it a password in the dashboard, or here for a machine of your own.
do $$
begin
  if not exists (select from pg_roles where rolname = 'millrace_edge') then
    create role millrace_edge login;
  end if;
end $$;
grant millrace_worker to millrace_edge;
