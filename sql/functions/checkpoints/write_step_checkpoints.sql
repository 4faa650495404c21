-- Stores what one attempt alone has to store: one result or one error, or results that came together and have one kind and place. They
-- share a row, so that a thousand cost little more than one. Fenced and answered as write_checkpoints is, but with one word for all:
-- null, kept or lost. A name behind the first of a row is held by no index, and needs none: an attempt asks for a name once, the next one
-- has read it, and a call that is made again is the same call.
create or replace function millrace.write_step_checkpoints(
  worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, place int, kind text, names text[], results jsonb[], error jsonb)
returns text
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  if not enter_worker(write_step_checkpoints.worker_id, write_step_checkpoints.lock_key) then
    return 'lost';
  end if;
  if cardinality(names) > 1 and (write_step_checkpoints.error is not null or cardinality(names) <> cardinality(results)
       or not (select bool_and((length(n.name) between 1 and 200) is true) from unnest(names) n(name))) then
    perform refuse_argument('names', 'texts of 1 to 200 characters, with a result for each', 'others');
  end if;
  insert into checkpoint (run_id, step, item, name, place, kind, attempt, value, error, created_at, more_names, more_values)
  select t.run_id, (select d.step from step_definition d where d.id = t.step_id), t.item, names[1], write_step_checkpoints.place,
         write_step_checkpoints.kind, t.attempt, case when write_step_checkpoints.error is null then coalesce(results[1], 'null') end,
         write_step_checkpoints.error, millrace.now(),
         case when cardinality(names) > 1 then names[2:] end, case when cardinality(names) > 1 then results[2:] end
    from task t
   where t.id = write_step_checkpoints.task_id and t.step_id = write_step_checkpoints.step_id and t.attempt = write_step_checkpoints.attempt
     and t.worker_id = write_step_checkpoints.worker_id and t.aborted_at is null for share
      on conflict (run_id, step, item, name) do nothing;
  if found then
    return null;
  end if;
  return case when exists (select from task t where t.id = write_step_checkpoints.task_id and t.step_id = write_step_checkpoints.step_id
                              and t.attempt = write_step_checkpoints.attempt and t.worker_id = write_step_checkpoints.worker_id
                              and t.aborted_at is null) then 'kept' else 'lost' end;
end $$;
comment on function millrace.write_step_checkpoints(uuid, int, bigint, int, int, int, text, text[], jsonb[], jsonb)
  is 'Stores what one attempt has to store alone, in one row; answers whether it is lost or stored already.';
