-- Somebody approves what an agent asked for. What it asked for is carried out in the same transaction: both are done, or neither.
create or replace function millrace.approve_agent_request(id uuid, comment text default null)
returns table (operation text, asked jsonb, asker_name text, bound_tenant text, bound_pipelines text[], bound_run uuid, sees_payloads boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  perform lock_agent_request(approve_agent_request.id);
  return query
  update agent_request r
     set state = 'approved', decided_at = greatest(at, r.asked_at), decided_by = actor(), comment = approve_agent_request.comment
   where r.id = approve_agent_request.id
  returning r.operation, r.asked, r.asker_name, r.bound_tenant, r.bound_pipelines, r.bound_run, r.sees_payloads;
end $$;
comment on function millrace.approve_agent_request(uuid, text) is 'Somebody approves what an agent asked for, and carries it out in the same transaction.';
