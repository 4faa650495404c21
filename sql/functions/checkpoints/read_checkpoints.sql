-- All that is stored for a step of a run, or for an item of it, in the order in which it came: what won a race is read first.
create or replace function millrace.read_checkpoints(run_id uuid, step text, item int)
returns table (name text, place int, kind text, attempt int, value jsonb, error jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
begin
  return query
    select c.name, c.place, c.kind, c.attempt, c.value, c.error from checkpoint c
     where c.run_id = read_checkpoints.run_id and c.step = read_checkpoints.step and c.item = read_checkpoints.item
     order by c.id;
end $$;
comment on function millrace.read_checkpoints(uuid, text, int) is 'All that is stored for a step of a run, in the order in which it came.';
