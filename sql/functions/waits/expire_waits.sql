-- Ends what was due of the waits of tasks: a sleep with nothing, an approval as it was told to, all others with {"timedOut": true}.
-- The tasks are locked, or were removed, by the caller.
create or replace function millrace.expire_waits(run_ids uuid[], step_ids int[], items int[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  due_ids bigint[];
  due_results jsonb[];
begin
  with due as (
    select w.id, w.kind, w.run_id, d.step, w.item, w.name, w.due_at
      from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
      join wait w on w.run_id = any (array[g.run_id]) and w.step_id = g.step_id and w.item = g.item and w.due_at <= at
      join step_definition d on d.id = any (array[w.step_id])
  ), expired as (
    update approval a set state = 'expired', decided_at = greatest(at, a.created_at)
      from due where due.kind = 'approval' and a.run_id = due.run_id and a.step = due.step and a.item = due.item and a.name = due.name
       and a.state = 'open'
    returning due.id, a.otherwise, a.run_id, a.step, a.item, a.name, a.id as approval
  ), told as (
    insert into event (run_id, at, actor, kind, step, item, detail)
    select e.run_id, expire_waits.at, session_user, 'approval.expired', e.step, e.item,
           jsonb_build_object('name', e.name, 'approval', e.approval, 'otherwise', e.otherwise)
      from expired e
  )
  select array_agg(due.id order by due.due_at, due.id), array_agg(case due.kind
           when 'sleep' then 'null'
           when 'approval' then jsonb_build_object('expired', true, 'otherwise', e.otherwise, 'by', '[]'::jsonb, 'value', null, 'comment', null,
             'state', case e.otherwise when 'approve' then 'approved' when 'reject' then 'rejected' else 'expired' end)
           else '{"timedOut": true}' end order by due.due_at, due.id)
    into due_ids, due_results
    from due left join expired e on e.id = due.id;
  if due_ids is not null then
    perform resolve_waits(due_ids, due_results, null, at);
  end if;
end $$;
comment on function millrace.expire_waits(uuid[], int[], int[], timestamptz) is 'Ends what was due of the waits of tasks.';
