-- The steps of runs that are final, and so need not be done again. A map is where all its items are completed or skipped, or where it ended
-- as a whole; one with items that failed for good is so only where a step after it has begun: it was tolerated, and what came of it was used.
create or replace function millrace.final_steps(run_ids uuid[])
returns table (run_id uuid, step text)
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
    select a.run_id, a.step from millrace.attempt a
     where a.run_id = any (run_ids) and a.item = -1 and a.outcome in ('completed', 'skipped')
    union
    select m.run_id, m.step
      from (select a.run_id, a.step, count(distinct a.item) filter (where a.outcome in ('completed', 'skipped')) as ended,
                   count(distinct a.item) filter (where millrace.is_last_attempt(a.outcome, a.item, a.retry_at)) as closed
              from millrace.attempt a where a.run_id = any (run_ids) and a.item >= 0 group by a.run_id, a.step) m
      join millrace.run r on r.id = m.run_id
      join millrace.step_definition d on d.slug = r.slug and d.version = r.version and d.step = m.step and d.kind = 'map'
     cross join lateral (
       select jsonb_array_length(o.output) as items from millrace.read_outputs(array[m.run_id], array[d.over]) o where jsonb_typeof(o.output) = 'array') source
     where m.ended = source.items
        or (m.closed = source.items and exists (
              select from millrace.step_definition after join millrace.attempt b on b.run_id = m.run_id and b.step = after.step
               where after.slug = d.slug and after.version = d.version and d.step = any (after.needs)));
end $$;
comment on function millrace.final_steps(uuid[]) is 'The steps of runs that are final, and need not be done again.';
