-- Keeps what the operation answered that an agent asked for, for the agent to read. Only in the transaction of the approval.
create or replace function millrace.answer_agent_request(id uuid, answer jsonb) returns void
language sql security definer set search_path = millrace, pg_temp
as $$
  update millrace.agent_request r set answer = answer_agent_request.answer
   where r.id = answer_agent_request.id and r.state = 'approved' and r.xmin = pg_current_xact_id()::xid
$$;
comment on function millrace.answer_agent_request(uuid, jsonb) is 'Keeps what the operation answered that an agent asked for, in the transaction of its approval.';
