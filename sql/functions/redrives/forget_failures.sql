-- What stands in the way of fresh attempts at steps that are opened again: at the end of a step's stored results, those that hold a failure (an
-- error, a time that ran out, a called run that did not complete) would only be told to it again. They leave; the answer is what they were, for
-- the history. A failure that the handler went on from has results after it, and stays. Runs that were called without an answer are nobody's now.
create or replace function millrace.forget_failures(run_ids uuid[])
returns table (run_id uuid, forgotten jsonb)
language plpgsql
as $$
#variable_conflict use_column
begin
  if not exists (select from checkpoint c where c.run_id = any (run_ids)) and not exists (select from run r where r.parent_run_id = any (run_ids)) then
    return;
  end if;
  return query
    with final as materialized (
      select f.run_id, f.step from final_steps(run_ids) f
    ), open as materialized (
      select c.*, c.error is not null or c.value -> 'timedOut' = 'true' or c.value -> 'expired' = 'true'
                  or (c.kind = 'call' and (c.value ->> 'state' in ('failed', 'cancelled') or exists (
                        select from jsonb_array_elements_text(case when jsonb_typeof(c.value -> 'runs') = 'array' then c.value -> 'runs' else '[]' end) called(id)
                          join run r on r.id = called.id::uuid and r.state <> 'completed' and not r.detached))) as is_failure
        from checkpoint c
       where c.run_id = any (run_ids) and not exists (select from final f where f.run_id = c.run_id and f.step = c.step)
    ), removed as (
      delete from checkpoint c using open o
       where o.is_failure and c.run_id = o.run_id and c.step = o.step and c.item = o.item and c.name = o.name
         and not exists (select from open later where later.run_id = o.run_id and later.step = o.step and later.item = o.item
                            and later.id > o.id and not later.is_failure)
      returning c.*
    )
    select r.run_id, jsonb_agg(jsonb_strip_nulls(jsonb_build_object('step', r.step, 'item', nullif(r.item, -1), 'name', r.name, 'kind', r.kind,
             'value', r.value, 'error', r.error - 'stack')) order by r.id)
      from removed r group by r.run_id;
  update run r set detached = true
   where r.parent_run_id = any (run_ids) and not r.detached
     and not exists (select from checkpoint c where c.run_id = r.parent_run_id and c.step = r.parent_step and c.item = r.parent_item and c.name = r.parent_call);
end $$;
comment on function millrace.forget_failures(uuid[]) is 'Takes out what would only tell steps that are opened again how they failed before.';
