-- Opens the approvals that new waits ask for. They expire when their wait is due.
create or replace function millrace.open_approvals(wait_ids bigint[], specs jsonb[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  with opened as (
    insert into approval (id, run_id, step, item, name, title, data, roles, people, quorum, form, remind_at, expires_at, otherwise, created_at)
    select coalesce((s.asked ->> 'id')::uuid, gen_random_uuid()), w.run_id, d.step, w.item, w.name, s.asked ->> 'title', s.asked -> 'data',
           array(select jsonb_array_elements_text(coalesce(s.asked -> 'roles', '[]'))),
           array(select jsonb_array_elements_text(coalesce(s.asked -> 'people', '[]'))),
           coalesce((s.asked ->> 'quorum')::int, 1), s.asked -> 'form',
           at + make_interval(secs => (s.asked ->> 'remind_ms')::float8 / 1000), w.due_at, coalesce(s.asked ->> 'otherwise', 'fail'), at
      from unnest(wait_ids, specs) g(id, spec)
      join wait w on w.id = any (array[g.id]) and w.kind = 'approval'
      join step_definition d on d.id = w.step_id
     cross join lateral (select coalesce(g.spec -> 'approval', '{}') as asked) s
    returning run_id, step, item, name, id, title, expires_at
  )
  insert into event (run_id, at, actor, kind, step, item, detail)
  select o.run_id, open_approvals.at, session_user, 'approval.asked', o.step, o.item,
         jsonb_strip_nulls(jsonb_build_object('name', o.name, 'approval', o.id, 'title', o.title, 'expires_at', o.expires_at))
    from opened o;
end $$;
comment on function millrace.open_approvals(bigint[], jsonb[], timestamptz) is 'Opens the approvals that new waits ask for.';
