-- Takes a step for an executor outside, or tells why not. All that it finds out it reads once the task is locked, so that it is true.
create or replace function millrace.take_step(
  run_id uuid, definition millrace.step_definition, item int, held_by text, lease_seconds int, holder uuid, at timestamptz)
returns table (started boolean, reason text, attempt int, item_value jsonb, lease_expires_at timestamptz)
language plpgsql
as $$
#variable_conflict use_column
declare
  found_task task;
  judged record;
  next_holds bigint[];
  new_holder uuid := coalesce(take_step.holder, gen_random_uuid());
begin
  -- Before any task is: whoever changes a rule takes them in this order (see rewrite_limit).
  lock table limited_step in access share mode;
  -- A step whose time has come doesn't wait for somebody to promote it.
  with due as (
    delete from waiting_task w
     where w.run_id = take_step.run_id and w.step_id = (definition).id and w.item = take_step.item and not w.paused and w.available_at <= at and w.reason not in ('waiting', 'limit')
    returning w.*
  )
  insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
  select d.handler, d.priority, d.run_id, d.step_id, d.item, d.item_value, d.attempt, d.failures, d.available_at from due d;

  perform call_outside(take_step.run_id, (definition).id, take_step.item, at);

  select t.* into found_task from task t
   where t.run_id = take_step.run_id and t.step_id = (definition).id and t.item = take_step.item for update;

  if found_task.worker_id = take_step.holder then
    select true, found_task.attempt, found_task.item_value, w.lease_expires_at into started, attempt, item_value, lease_expires_at
      from worker w where w.id = take_step.holder and w.kind = 'outside';
    if found then
      return next;
      return;
    end if;
  end if;

  started := false;
  reason := case
    when found_task.worker_id is not null then 'held'
    when found_task.id is null and exists (
      select from attempt a
       where a.run_id = take_step.run_id and a.step = (definition).step and a.item = take_step.item
         and is_last_attempt(a.outcome, a.item, a.retry_at)) then 'final'
    when found_task.id is null and exists (select from run r where r.id = take_step.run_id and r.finished_at is not null) then 'run ended'
    when exists (select from run r join pipeline p on p.slug = r.slug
                  where r.id = take_step.run_id and (r.paused_at is not null or p.paused_at is not null)) then 'paused'
    when found_task.id is null then coalesce(
      (select w.reason from waiting_task w where w.run_id = take_step.run_id and w.step_id = (definition).id and w.item = take_step.item), 'not ready')
    end;
  if reason is not null then
    return next;
    return;
  end if;

  if limited_handlers(array[(definition).handler]) <> '{}' then
    select * into judged from admit_task(found_task, at);
    if not judged.admitted then
      reason := 'limit';
      return next;
      return;
    end if;
    next_holds := judged.holds;
  end if;

  insert into worker (id, database, kind, state, name, host, slots, lease_seconds, started_at, heartbeat_at, lease_expires_at)
  values (new_holder, this_database(), 'outside', 'running', left(take_step.held_by, 200), 'outside', 1, take_step.lease_seconds, at, at,
          at + make_interval(secs => take_step.lease_seconds))
      on conflict (id) do nothing
  returning worker.lease_expires_at into lease_expires_at;
  if not found then
    raise exception 'Holder % has had a hold already.', new_holder
      using errcode = 'MR015', hint = 'Make an id of its own for each hold; the same one only asks again for the hold that it has.';
  end if;
  update task t set worker_id = new_holder, claimed_at = at, attempt = t.attempt + 1, holds = next_holds where t.id = found_task.id
  returning t.attempt, t.item_value into attempt, item_value;
  perform begin_runs(array[take_step.run_id], at);
  started := true;
  return next;
end $$;
comment on function millrace.take_step(uuid, millrace.step_definition, int, text, int, uuid, timestamptz)
  is 'Takes a step for an executor outside, or tells why not.';
