-- Writes a reminder into the history of runs whose approvals are still open at the time that was set for it: once each.
create or replace function millrace.remind_approvals(at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  with due as (
    select a.id from approval a where a.state = 'open' and a.reminded_at is null and a.remind_at <= at
     order by a.remind_at limit 1000 for update skip locked
  ), reminded as (
    update approval a set reminded_at = at from due where a.id = due.id returning a.*
  )
  insert into event (run_id, at, actor, kind, step, item, detail)
  select r.run_id, remind_approvals.at, session_user, 'approval.reminded', r.step, r.item,
         jsonb_strip_nulls(jsonb_build_object('name', r.name, 'approval', r.id, 'title', r.title, 'expires_at', r.expires_at))
    from reminded r;
end $$;
comment on function millrace.remind_approvals(timestamptz) is 'Reminds of approvals that are still open.';
