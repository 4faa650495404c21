-- The result of a call: how its one run ended, or the ids of its many, in their order.
create or replace function millrace.tell_children(wait_id bigint) returns jsonb
language plpgsql stable
as $$
#variable_conflict use_column
declare
  call record;
begin
  select w.run_id, d.step, w.item, w.name, w.child_run into call from wait w join step_definition d on d.id = w.step_id where w.id = tell_children.wait_id;
  if call.child_run is not null then
    return (select jsonb_build_object('run', r.id, 'state', r.state)
                   || case r.state when 'completed' then jsonb_build_object('output', r.output) else jsonb_build_object('error', r.error - 'stack') end
              from run r where r.id = call.child_run);
  end if;
  return (select jsonb_build_object('runs', jsonb_agg(r.id order by r.parent_place)) from run r
           where r.parent_run_id = call.run_id and r.parent_step = call.step and r.parent_item = call.item and r.parent_call = call.name and not r.detached);
end $$;
comment on function millrace.tell_children(bigint) is 'The result of a call whose runs have ended.';
