-- Why failed runs can't be redriven now, each with a word and a sentence; those without a fault are in no row. In place means: from the failed
-- step, with the version and the input that the run has. failed_ats says which failure of each is meant; null for whichever it is.
create or replace function millrace.redrive_faults(run_ids uuid[], failed_ats timestamptz[], in_place boolean)
returns table (run_id uuid, reason text, detail text)
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
    with given as materialized (
      select g.id, g.failed_at as meant_at, r.state, r.slug, r.version, r.tenant, r.key, r.parent_run_id, r.detached, l.failed_at
        from unnest(run_ids, failed_ats) g(id, failed_at) left join run r on r.id = any (array[g.id]) left join dead_letter l on l.run_id = any (array[g.id])
    ), told as (
      select g.id,
             case when g.state is null then array['unknown', 'There is no such run any more.']
                  when g.failed_at is null and n.run_id is not null then array['redriven', format('It was redriven already, as run %s.', n.run_id)]
                  when g.failed_at is null and exists (select from event e where e.run_id = g.id and e.kind = 'run.redriven')
                    then array['redriven', format('It was redriven already, and is %s.', g.state)]
                  when g.failed_at is null then array['not_failed', format('It has not failed: it is %s.', g.state)]
                  when g.failed_at <> g.meant_at then array['redriven', 'It was redriven already, and has failed again since.']
                  when in_place and exists (
                         select from step_definition d join attempt a on a.run_id = g.id and a.step = d.step
                          where d.slug = g.slug and d.version = g.version and d.kind = 'undo')
                    then array['undone', 'What it had completed has been undone: redrive it from the start.']
                  when in_place and g.parent_run_id is not null and not g.detached and exists (
                         select from run p where p.id = g.parent_run_id and p.finished_at is null)
                    then array['called', format('Run %s called it, was told of its failure, and is live still.', g.parent_run_id)]
                  when in_place and k.run_id is not null then array['live', format('Its run key is that of live run %s.', k.run_id)]
                  when in_place and exists (
                         select from step_definition m join step_definition source on source.slug = m.slug and source.version = m.version and source.step = m.over
                           join attempt a on a.run_id = g.id and a.step = source.step and a.item = -1 and a.outcome = 'completed'
                          where m.slug = g.slug and m.version = g.version and m.kind = 'map' and m.on_error = 'fail'
                            and map_error(m.step, m.over, coalesce(a.output, 'null')) is not null)
                    then array['not_a_list', 'A map can''t go over the output that is stored: redrive it from the step that gave it.']
                  when in_place and exists (
                         select from step_definition m where m.slug = g.slug and m.version = g.version and m.kind = 'map' and m.concurrency is not null
                            and m.step not in (select f.step from final_steps(array[g.id]) f)
                            and m.concurrency < (select count(distinct a.item) from attempt a where a.run_id = g.id and a.step = m.step and a.item >= 0
                                  and not exists (select from attempt b where b.run_id = a.run_id and b.step = a.step and b.item = a.item and b.outcome in ('completed', 'skipped'))))
                    then array['too_many_items', 'More items of a map are to be tried again than may be under way at once: redrive it from that step.']
             end as fault
        from given g
        left join run_lineage n on n.of_run = any (array[g.id]) and n.kind = 'redrive'
        left join live_key k on k.slug = g.slug and k.key = g.key and k.tenant is not distinct from g.tenant and in_place
    )
    select t.id, t.fault[1], t.fault[2] from told t where t.fault is not null;
end $$;
comment on function millrace.redrive_faults(uuid[], timestamptz[], boolean) is 'Why failed runs can''t be redriven now.';
