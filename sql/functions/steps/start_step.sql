-- An executor outside takes a step of a run, for lease_seconds unless it sends heartbeats. Its attempt is its token for everything after.
-- What can't be started now is answered with the reason: waiting, held, not ready, or final. Who gives its hold an id of its own can ask
-- again when the answer was lost: the same holder is told the same attempt.
create or replace function millrace.start_step(
  run_id uuid, step text, held_by text default 'outside', lease_seconds int default 300, item int default -1,
  holder uuid default null)
returns table (started boolean, reason text, attempt int, item_value jsonb, lease_expires_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  definition step_definition := find_step(start_step.run_id, start_step.step);
  found_task task;
  new_holder uuid := coalesce(start_step.holder, gen_random_uuid());
begin
  perform hear_run(start_step.run_id);
  started := false;
  if exists (select from run r join pipeline p on p.slug = r.slug
              where r.id = start_step.run_id and (r.paused_at is not null or p.paused_at is not null)) then
    reason := 'paused';
    return next;
    return;
  end if;
  select w.reason into reason from waiting_task w
   where w.run_id = start_step.run_id and w.step_id = definition.id and w.item = start_step.item and w.available_at > at;
  if found then
    return next;
    return;
  end if;
  with removed as (
    delete from waiting_task w
     where w.run_id = start_step.run_id and w.step_id = definition.id and w.item = start_step.item and not w.paused
    returning w.*
  )
  insert into task (handler, priority, run_id, step_id, item, item_value, attempt, failures, ready_at)
  select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, r.available_at from removed r;

  select t.* into found_task from task t
   where t.run_id = start_step.run_id and t.step_id = definition.id and t.item = start_step.item for update;
  if not found then
    reason := case
      when exists (select from attempt a where a.run_id = start_step.run_id and a.step = start_step.step and a.item = start_step.item
                      and a.outcome in ('completed', 'skipped')) then 'final'
      when exists (select from run r where r.id = start_step.run_id and r.finished_at is not null) then 'run ended'
      else 'not ready' end;
    return next;
    return;
  end if;
  if found_task.worker_id = start_step.holder then
    return query select true, null::text, found_task.attempt, found_task.item_value, w.lease_expires_at
      from worker w where w.id = start_step.holder;
    return;
  end if;
  if found_task.worker_id is not null then
    reason := 'held';
    return next;
    return;
  end if;

  insert into worker (id, kind, state, name, host, slots, lease_seconds, started_at, heartbeat_at, lease_expires_at)
  values (new_holder, 'outside', 'running', left(start_step.held_by, 200), 'outside', 1, start_step.lease_seconds, at, at,
          at + make_interval(secs => start_step.lease_seconds))
  returning worker.lease_expires_at into lease_expires_at;
  update task t set worker_id = new_holder, claimed_at = at, attempt = t.attempt + 1 where t.id = found_task.id
  returning t.attempt, t.item_value into attempt, item_value;
  perform begin_runs(array[start_step.run_id], at);
  started := true;
  return next;
end $$;
comment on function millrace.start_step(uuid, text, text, int, int, uuid) is 'An executor outside takes a step of a run; the attempt is its token.';
