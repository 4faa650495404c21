-- An approval for somebody who wants to decide, locked behind the task that waits for it; with the reason where it is closed already.
create or replace function millrace.lock_approval(approval_id uuid, at timestamptz) returns millrace.approval
language plpgsql
as $$
#variable_conflict use_column
declare
  locked approval;
begin
  select a.* into locked from approval a where a.id = lock_approval.approval_id;
  if not found then
    raise exception 'There is no approval %.', lock_approval.approval_id using errcode = 'MR019', hint = 'List them with: npx millrace approval list';
  end if;
  perform lock_waits(array(
    select w.id from wait w join step_definition d on d.id = w.step_id
     where w.run_id = locked.run_id and w.item = locked.item and w.name = locked.name and d.step = locked.step));
  select a.* into locked from approval a where a.id = lock_approval.approval_id for update;
  if locked.state <> 'open' or locked.expires_at <= at then
    raise exception 'Approval % is closed: %.', locked.id,
      case when locked.state in ('open', 'expired') then 'it expired on ' || tell_time(locked.expires_at)
           when locked.state = 'cancelled' then 'its step or run ended on ' || tell_time(locked.decided_at)
           else format('it was %s on %s', locked.state, tell_time(locked.decided_at)) end
      using errcode = 'MR020', hint = 'Nothing was changed.';
  end if;
  return locked;
end $$;
comment on function millrace.lock_approval(uuid, timestamptz) is 'An open approval, locked behind the task that waits for it.';
