-- Takes the changes out of a batch that close a loop: each is deleted, counted, and told in the history of the run that made it.
create or replace function millrace.cut_loops(watched millrace.change_watch, up_to bigint, at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  made record;
  loops int := 0;
  n int;
  told jsonb;
begin
  for made in
    select distinct c.origin::uuid as origin, c.tenant, c.key from millrace.change c
     where c.watch_id = watched.id and c.id <= up_to and c.origin ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
  loop
    continue when not (select l.is_loop from millrace.find_loop(watched.id, made.tenant, made.key, made.origin) l);
    delete from millrace.change c where c.watch_id = watched.id and c.id <= up_to and c.origin = made.origin::text and c.key is not distinct from made.key
       and c.tenant is not distinct from made.tenant;
    get diagnostics n = row_count;
    loops := loops + n;
    told := jsonb_build_object('watch', watched.name, 'key', made.key, 'changes', n);
    if exists (select from millrace.run r where r.id = made.origin) then
      perform millrace.write_event(made.origin, 'change.loop_cut', told);
    end if;
    update millrace.change_watch w set loops_cut = w.loops_cut + n, last_cut = told || jsonb_build_object('run', made.origin, 'at', cut_loops.at) where w.id = watched.id;
  end loop;
  return loops;
end $$;
comment on function millrace.cut_loops(millrace.change_watch, bigint, timestamptz) is 'Takes the changes out of a batch that close a loop.';
