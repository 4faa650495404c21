-- The request that somebody is about to decide, locked. Once it was decided, or has expired, nobody decides on it any more.
create or replace function millrace.lock_agent_request(id uuid) returns millrace.agent_request
language plpgsql
as $$
#variable_conflict use_column
declare
  found_request agent_request;
  state text;
begin
  select r.* into found_request from agent_request r where r.id = lock_agent_request.id for update;
  if found_request.id is null then
    raise exception 'There is no request % of an agent.', lock_agent_request.id using errcode = 'MR181';
  end if;
  state := agent_request_state(found_request.state, found_request.expires_at);
  if state = 'open' then
    return found_request;
  end if;
  raise exception 'Request % of an agent is %.', found_request.id, state
    using errcode = 'MR182', detail = jsonb_strip_nulls(jsonb_build_object('state', state, 'decided_by', found_request.decided_by))::text;
end $$;
comment on function millrace.lock_agent_request(uuid) is 'The request of an agent that is to be decided, locked; refused once it is decided or expired.';
