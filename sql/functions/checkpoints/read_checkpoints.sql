-- All that is stored for a step of a run, or for an item of it, in the order in which it came: what won a race is read first. Results that
-- share a row come one by one.
create or replace function millrace.read_checkpoints(run_id uuid, step text, item int)
returns table (name text, place int, kind text, attempt int, value jsonb, error jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
begin
  return query
    select r.name, c.place, c.kind, c.attempt, case when r.n = 1 then c.value else coalesce(r.value, 'null') end, c.error
      from checkpoint c
     cross join lateral unnest(c.name || c.more_names, array[c.value] || c.more_values) with ordinality r(name, value, n)
     where c.run_id = read_checkpoints.run_id and c.step = read_checkpoints.step and c.item = read_checkpoints.item
     order by c.id, r.n;
end $$;
comment on function millrace.read_checkpoints(uuid, text, int) is 'All that is stored for a step of a run, in the order in which it came.';
