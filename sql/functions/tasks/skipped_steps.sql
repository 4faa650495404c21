-- Of the pairs given, the steps that were skipped: a map is where it was skipped as a whole, or all its items were.
create or replace function millrace.skipped_steps(run_ids uuid[], steps text[])
returns table (run_id uuid, step text)
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return query
    select g.run_id, g.step
      from (select distinct u.run_id, u.step from unnest(run_ids, steps) u(run_id, step)) g
      join attempt a on a.run_id = g.run_id and a.step = g.step
       and is_last_attempt(a.outcome, a.item, a.retry_at)
     group by g.run_id, g.step
    having coalesce(bool_and(a.outcome = 'skipped') filter (where a.item = -1), bool_and(a.outcome = 'skipped'));
end $$;
comment on function millrace.skipped_steps(uuid[], text[]) is 'Of the pairs given, the steps that were skipped.';
