-- The handlers that some live worker takes tasks of: what is ready for any other waits until a worker with its version comes.
create or replace function millrace.served_handlers(at timestamptz) returns int[]
language plpgsql stable
as $$
begin
  return array(
    select distinct h.id from millrace.worker w cross join unnest(w.handlers) h(id)
     where w.kind = 'worker' and w.state in ('starting', 'idle', 'running') and w.ordered_state is null and w.lease_expires_at > served_handlers.at);
end $$;
comment on function millrace.served_handlers(timestamptz) is 'The handlers that some live worker takes tasks of.';
