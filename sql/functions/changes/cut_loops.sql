-- Takes out those changes that close a loop, of what would be told up to this one: each is deleted, counted, and told in the history of the run that made it.
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
    select origin_run(c.origin) as origin, c.tenant, c.key, array_agg(c.id) as ids
      from millrace.gather_changes(watched, up_to, at) g join millrace.change c on c.watch_id = watched.id and c.id = any (g.ids)
     where origin_run(c.origin) is not null
     group by 1, 2, 3
  loop
    continue when not (select l.is_loop from millrace.find_loop(watched.id, made.tenant, made.key, made.origin) l);
    delete from millrace.change c where c.watch_id = watched.id and c.id = any (made.ids);
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
