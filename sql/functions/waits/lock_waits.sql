-- Locks waits for somebody who ends them from outside their steps: the tasks first, then the waits themselves, in the order of their ids.
-- Answers with those that are still open. A run that was moved to another version meanwhile has other steps: its tasks are looked for again.
create or replace function millrace.lock_waits(wait_ids bigint[]) returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  run_ids uuid[];
  step_ids int[];
  items int[];
begin
  loop
    select array_agg(s.run_id), array_agg(s.step_id), array_agg(s.item) into run_ids, step_ids, items
      from (select distinct w.run_id, w.step_id, w.item from (select * from millrace.wait w where w.id = any (wait_ids) offset 0) w) s;
    if run_ids is null then
      return array[]::bigint[];
    end if;
    perform millrace.lock_waiting(run_ids, step_ids, items);
    exit when not exists (
      select from millrace.wait w
       where w.id = any (wait_ids) and (w.run_id, w.step_id, w.item) not in (select * from unnest(run_ids, step_ids, items)));
  end loop;
  return array(select w.id from millrace.wait w where w.id = any (wait_ids) order by w.id for update);
end $$;
comment on function millrace.lock_waits(bigint[]) is 'Locks waits behind the tasks of their steps; answers with those that are still open.';
