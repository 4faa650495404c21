-- Of the runs given, those that can't be moved to another version now, each with the first reason: a step that runs, a step that it has
-- reached and that the other version does not have alike, or a map of the other version that could not go over what is there.
create or replace function millrace.find_move_faults(run_ids uuid[], slug text, from_version int, to_version int)
returns table (run_id uuid, fault text)
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return query
    with reached as (
      select a.run_id, a.step, false as is_open, null::text as held from millrace.attempt a where a.run_id = any (run_ids) group by a.run_id, a.step
      union all
      select t.run_id, d.step, true,
             case when d.kind in ('undo', 'finally') then 'its outcome is known already'
                  when t.worker_id is not null then format('''%s'' runs at present', d.step) end
        from millrace.task t join millrace.step_definition d on d.id = t.step_id where t.run_id = any (run_ids)
      union all
      select w.run_id, d.step, true, case when d.kind in ('undo', 'finally') then 'its outcome is known already' end
        from millrace.waiting_task w join millrace.step_definition d on d.id = w.step_id where w.run_id = any (run_ids)
    ), faults as (
      select f.step, f.fault
        from millrace.pipeline_version v
       cross join lateral millrace.find_graph_faults(find_move_faults.slug, from_version, v.graph) f
       where v.slug = find_move_faults.slug and v.version = to_version
    ), lists as (
      select m.step, m.over from millrace.step_definition m
       where m.slug = find_move_faults.slug and m.version = to_version and m.kind = 'map' and m.on_error = 'fail'
    ), unlisted as (
      select o.run_id, o.step, rtrim(millrace.map_error(l.step, l.over, coalesce(o.output, 'null')) ->> 'message', '.') as fault
        from lists l
        join (select r.run_id, r.step from reached r group by 1, 2 having not bool_or(r.is_open)) source on source.step = l.over
       cross join lateral millrace.read_outputs(array[source.run_id], array[source.step]) o
       where o.outcome = 'completed' and not exists (select from reached r where r.run_id = o.run_id and r.step = l.step)
    )
    select distinct on (found.run_id) found.run_id, found.fault
      from (
        select r.run_id, coalesce(f.fault, r.held) as fault, case when f.fault is null then 1 else 0 end as rank, d.position
          from reached r
          left join faults f on f.step = r.step
          left join millrace.step_definition d on d.slug = find_move_faults.slug and d.version = from_version and d.step = r.step
        union all
        select u.run_id, u.fault, 0, null from unlisted u) found
     where found.fault is not null
     order by found.run_id, found.rank, found.position;
end $$;
comment on function millrace.find_move_faults(uuid[], text, int, int) is 'Of the runs given, those that can''t be moved to another version now, and why.';
