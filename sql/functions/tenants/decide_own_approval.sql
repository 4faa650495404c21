-- An application user decides on an approval of the own tenant, as the person that the database knows. One of another tenant is as unknown as none, and one
-- that names nobody is for operators.
create or replace function millrace.decide_own_approval(id uuid, decision text, value jsonb default null, comment text default null)
returns table (state text, approvals int, quorum int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  asking record;
  asked approval;
  former_actor text := current_setting('millrace.actor', true);
begin
  -- Over HTTP the server bounds it; here nobody else does, and each attempt of the step reads it into a worker of all tenants.
  if octet_length(decide_own_approval.value::text) > 1048576 then
    perform refuse_argument('value', 'of at most 1,048,576 bytes', 'of ' || octet_length(decide_own_approval.value::text));
  end if;
  select u.* into asking from application_user() u;
  select a.* into asked from approval a where a.id = decide_own_approval.id and a.tenant = current_tenant();
  if asked.id is null then
    raise exception 'There is no approval %.', decide_own_approval.id using errcode = 'MR019', hint = 'Only those of your own tenant are yours to decide.';
  end if;
  if asking.person is null or (asked.people = '{}' and asked.roles = '{}') then
    raise exception 'Approval % is not yours to decide: %.', asked.id,
      case when asking.person is null then 'nobody says who you are' else 'it names nobody, so operators decide' end
      using errcode = 'MR021', hint = 'Nothing was changed.';
  end if;
  perform set_config('millrace.actor', asking.person, true);
  -- A role of its own runs SQL of its own: what it says of a request is made up.
  if asking.roles is null then
    perform set_config('millrace.request', '', true);
  end if;
  return query
    select d.state, d.approvals, d.quorum
      from decide_approval(asked.id, decide_own_approval.decision, decide_own_approval.value, left(decide_own_approval.comment, 4000), asking.person,
                           case when asking.roles is not null or asking.person is distinct from session_user then coalesce(asking.roles, '{}') end) d;
  -- What follows in this transaction is not that person's.
  perform set_config('millrace.actor', coalesce(former_actor, ''), true);
end $$;
comment on function millrace.decide_own_approval(uuid, text, jsonb, text) is 'An application user decides on an approval of the own tenant.';
