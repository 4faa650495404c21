-- The runs that a call of a step started, in their order, as they stand.
create or replace function millrace.read_children(parent_run_id uuid, step text, item int, name text)
returns table (place int, run_id uuid, state text, output jsonb, error jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
begin
  return query
    select r.parent_place, r.id, r.state, r.output, r.error - 'stack' from run r
     where r.parent_run_id = read_children.parent_run_id and r.parent_step = read_children.step and r.parent_item = read_children.item
       and r.parent_call = read_children.name and not r.detached
     order by r.parent_place;
end $$;
comment on function millrace.read_children(uuid, text, int, text) is 'The runs that a call of a step started, in their order.';
