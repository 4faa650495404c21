-- Somebody rejects what an agent asked for. Or they approved it, and it could not be carried out: then it says by which error.
create or replace function millrace.reject_agent_request(id uuid, comment text default null, error jsonb default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  perform lock_agent_request(reject_agent_request.id);
  update agent_request r
     set state = case when reject_agent_request.error is null then 'rejected' else 'failed' end, error = reject_agent_request.error,
         decided_at = greatest(at, r.asked_at), decided_by = actor(), comment = reject_agent_request.comment
   where r.id = reject_agent_request.id;
end $$;
comment on function millrace.reject_agent_request(uuid, text, jsonb) is 'Somebody rejects what an agent asked for; with an error where it was approved and could not be carried out.';
