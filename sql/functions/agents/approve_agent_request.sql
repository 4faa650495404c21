-- Somebody approves what an agent asked for. What it asked for is carried out in the same transaction: both are done, or neither. Only a server can do
-- that, and says of its transaction that it does; whoever calls this by itself, over PostgREST for instance, would approve what nobody carries out.
create or replace function millrace.approve_agent_request(id uuid, comment text default null)
returns table (operation text, asked jsonb, asker_name text, bound_tenant text, bound_pipelines text[], bound_run uuid, sees_payloads boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  request agent_request;
  asking_keys uuid[];
begin
  if (acting_request() ->> 'agent' = 'asks') is not true then
    raise exception 'Request % of an agent is not approved here: what it asks for is carried out with its approval, by a server.', approve_agent_request.id
      using errcode = '42501', hint = 'Approve it over the HTTP API: npx millrace agent-request approve.';
  end if;
  request := lock_agent_request(approve_agent_request.id);
  -- The key that asked, and those that came in its place since.
  asking_keys := array(
    with recursive line as (
      select k.id from api_key k where k.id::text = request.asker_id
       union all
      select n.id from line l join api_key n on n.replaces = l.id)
    select l.id from line l);
  -- A key that is being revoked now is revoked first: who approves after that would act for somebody who was shut out.
  perform from api_key k where k.id = any (asking_keys) order by k.id for key share;
  if exists (
    select from api_key k left join service_account a on a.name = k.service_account left join person p on p.id = k.person_id
     where k.id = any (asking_keys)
       -- One that was replaced without an overlap is revoked at that time: its agent has the next one.
       and (k.revoked_at is not null and k.revoked_at is distinct from k.replaced_at or a.disabled_at is not null or p.disabled_at is not null)
     union all
    select from person p where p.id::text = request.asker_id and p.disabled_at is not null)
    -- The last of them has expired.
    or asking_keys <> '{}' and not exists (select from api_key k where k.id = any (asking_keys) and k.expires_at > at) then
    raise exception 'The agent % asked this, and its key has expired or was revoked since, or whose it is was disabled.', request.asker_name
      using errcode = 'MR200', detail = jsonb_build_object('agent', request.asker_name)::text;
  end if;
  return query
  update agent_request r
     set state = 'approved', decided_at = greatest(at, r.asked_at), decided_by = actor(), comment = approve_agent_request.comment
   where r.id = approve_agent_request.id
  returning r.operation, r.asked, r.asker_name, r.bound_tenant, r.bound_pipelines, r.bound_run, r.sees_payloads;
end $$;
comment on function millrace.approve_agent_request(uuid, text) is 'Somebody approves what an agent asked for, and carries it out in the same transaction.';
