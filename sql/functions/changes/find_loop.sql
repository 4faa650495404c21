-- How many changes led to this run, counted back through the runs that called it, those that it was made from, and the one that emitted its event.
-- A change by it closes a loop where the same watch, tenant and key stand in that line, or sixteen changes do.
create or replace function millrace.find_loop(watch_id int, tenant text, key jsonb, origin uuid, out depth int, out is_loop boolean)
language plpgsql stable
as $$
#variable_conflict use_variable
declare
  at_run uuid := origin;
  cause millrace.change_run;
begin
  depth := 0;
  is_loop := false;
  for step in 1 .. 200 loop
    exit when at_run is null or is_loop;
    select c.* into cause from millrace.change_run c where c.run_id = any (array[at_run]);
    if found then
      depth := depth + 1;
      is_loop := depth > 15 or (cause.watch_id = watch_id and cause.key is not distinct from key and cause.tenant is not distinct from tenant);
      at_run := cause.origin_run;
    else
      at_run := coalesce((select r.parent_run_id from millrace.run r where r.id = at_run),
                         (select l.of_run from millrace.run_lineage l where l.run_id = any (array[at_run])),
                         (select e.run_id from millrace.event_start s join millrace.emitted_event e on e.id = s.event_id where s.run_id = any (array[at_run]) limit 1));
    end if;
  end loop;
end $$;
comment on function millrace.find_loop(int, text, jsonb, uuid) is 'How deep a run stands below changes, and whether a change by it closes a loop.';
