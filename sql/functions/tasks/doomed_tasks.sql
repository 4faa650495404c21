-- Of the completions that a worker gives, those whose output a map can't go over: they fail their runs.
create or replace function millrace.doomed_tasks(
  worker_id uuid, task_ids bigint[], step_ids int[], attempts int[], outputs jsonb[], skip_reasons text[])
returns table (task_id bigint, run_id uuid)
language plpgsql
as $$
#variable_conflict use_column
begin
  return query
    select t.id, t.run_id
      from unnest(task_ids, step_ids, attempts, outputs, skip_reasons) g(task_id, step_id, attempt, output, skip_reason)
      join step_definition d on d.id = g.step_id and d.is_listed
      join task t on t.id = any (array[g.task_id]) and t.step_id = g.step_id and t.attempt = g.attempt
       and t.worker_id = doomed_tasks.worker_id and t.aborted_at is null
     where g.skip_reason is null and map_error('', '', g.output) is not null;
end $$;
comment on function millrace.doomed_tasks(uuid, bigint[], int[], int[], jsonb[], text[]) is 'Of a batch of completions, those whose output a map can''t go over.';
