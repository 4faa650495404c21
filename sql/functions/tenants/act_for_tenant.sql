-- Says for the rest of this transaction for whom an application asks: its login is trusted with that, and runs no SQL of its users. Then it takes the
-- role, with: set local role millrace_tenant. Nothing of it outlives the transaction.
create or replace function millrace.act_for_tenant(tenant text, person text default null, roles text[] default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  if pg_has_role(session_user, 'millrace_gateway', 'member') is not true then
    raise exception 'Login % may not say for which tenant it acts.', session_user
      using errcode = 'MR172', hint = 'Where it runs no SQL of its users: grant millrace_gateway to it.';
  end if;
  if (length(act_for_tenant.tenant) between 1 and 200) is not true then
    perform refuse_argument('tenant', 'a text of 1 to 200 characters', quote_nullable(left(act_for_tenant.tenant, 200)));
  end if;
  if length(act_for_tenant.person) not between 1 and 200 then
    perform refuse_argument('person', 'a text of 1 to 200 characters', quote_literal(left(act_for_tenant.person, 200)));
  end if;
  if cardinality(act_for_tenant.roles) > 100 or array_to_string(act_for_tenant.roles, '') ~ E'\n' then
    perform refuse_argument('roles', 'at most 100 names, each of one line', format('%s', cardinality(act_for_tenant.roles)));
  end if;
  perform set_config('millrace.tenant', act_for_tenant.tenant, true), set_config('millrace.person', coalesce(act_for_tenant.person, ''), true),
          set_config('millrace.person_roles', coalesce(array_to_string(act_for_tenant.roles, E'\n'), ''), true),
          set_config('millrace.tenant_at', transaction_stamp(), true);
end $$;
comment on function millrace.act_for_tenant(text, text, text[]) is 'Says for the rest of this transaction for which tenant, and for whom there, an application asks.';
