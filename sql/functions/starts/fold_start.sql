-- Puts a start into a run that waits: its input and its time are the run's from now on. False where the run has begun, or somebody is just about
-- to begin, change or end it: who has locked its tasks is not waited for. It is of another version: each version reads its own input.
create or replace function millrace.fold_start(into_run uuid, version int, input jsonb, headers jsonb, due_at timestamptz) returns boolean
language plpgsql
as $$
#variable_conflict use_column
declare
  locked bigint[];
begin
  locked := array(
    select w.id from waiting_task w
     where w.run_id = into_run and w.reason in ('delayed', 'behind') and w.attempt = 0 order by w.id + 0 for update skip locked);
  if locked = '{}' or cardinality(locked) <> (
       select cardinality(v.entry_steps) from run r join pipeline_version v on v.slug = r.slug and v.version = r.version where r.id = into_run) then
    return false;
  end if;
  update run r set input = fold_start.input, headers = fold_start.headers, available_at = due_at
   where r.id = into_run and r.state = 'pending' and r.version = fold_start.version;
  if not found then
    return false;
  end if;
  update waiting_task w set available_at = due_at where w.id = any (locked) and w.reason = 'delayed';
  update held_start h set available_at = due_at where h.run_id = into_run;
  return true;
end $$;
comment on function millrace.fold_start(uuid, int, jsonb, jsonb, timestamptz) is 'Puts a start into a run that waits; false where that one has begun.';
