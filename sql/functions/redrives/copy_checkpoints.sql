-- Copies what a step has stored of its durable calls to a fork that begins at it. A list of calls stays where its runs know their caller, and a
-- failure at the end is left out. The attempt that found them counts as given back, so that the next one looks for them.
create or replace function millrace.copy_checkpoints(of_run uuid, new_run uuid, step text, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  insert into checkpoint (run_id, step, item, name, place, kind, attempt, value, error, created_at, more_names, more_values)
  select new_run, c.step, c.item, c.name, c.place, c.kind, 1, c.value, c.error, copy_checkpoints.at, c.more_names, c.more_values
    from checkpoint c
   where c.run_id = of_run and c.step = copy_checkpoints.step
     and c.id < coalesce((select min(list.id) from checkpoint list where list.run_id = c.run_id and list.step = c.step and list.item = c.item
                             and list.kind = 'call' and jsonb_typeof(list.value -> 'runs') = 'array'), 9223372036854775807)
     and (c.error is null or exists (select from checkpoint later where later.run_id = c.run_id and later.step = c.step and later.item = c.item
                                        and later.id > c.id and later.error is null))
   order by c.id;
  insert into attempt (run_id, step, item, attempt, outcome, reason, ready_at, started_at, finished_at, retry_at)
  select distinct new_run, copy_checkpoints.step, c.item, 1, 'released', format('what it had stored was copied from run %s', of_run), at, at, at, at
    from checkpoint c where c.run_id = new_run and c.step = copy_checkpoints.step;
end $$;
comment on function millrace.copy_checkpoints(uuid, uuid, text, timestamptz) is 'Copies what a step has stored of its durable calls to a fork that begins at it.';
