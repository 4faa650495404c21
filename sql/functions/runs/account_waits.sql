-- What a parked step waits for: at most five things, the soonest first.
create or replace function millrace.account_waits(told_run uuid, told_step int, told_item int) returns jsonb
language sql stable
as $$
  select coalesce(jsonb_agg(w.told order by w.due_at, w.place, w.id), '[]')
    from (
      select x.id, x.place, x.due_at, jsonb_build_object(
               'name', x.name, 'kind', x.kind, 'since', x.created_at, 'due_at', x.due_at, 'signals', x.signal_names,
               'child_run', x.child_run, 'children_left', x.children_left, 'approval', a.id, 'title', a.title,
               'people', a.people, 'roles', a.roles, 'quorum', a.quorum,
               'approvals', (select count(*) from millrace.approval_decision c where c.approval_id = a.id and c.decision = 'approve')) as told
        from millrace.wait x
        join millrace.step_definition d on d.id = x.step_id
        left join millrace.approval a on x.kind = 'approval' and a.run_id = x.run_id and a.step = d.step and a.item = x.item and a.name = x.name and a.state = 'open'
       where x.run_id = told_run and x.step_id = told_step and x.item = told_item
       order by x.due_at, x.place, x.id limit 5) w
$$;
comment on function millrace.account_waits(uuid, int, int) is 'What a parked step waits for, bounded.';
