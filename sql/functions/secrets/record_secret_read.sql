-- Records that an attempt is about to get a secret: before it does, and fenced, so that no zombie reads one. changed_at is since when a source
-- outside (AWS alone says that) has had the value. A worker may have kept one of a secret that lies elsewhere by now, of whose age that says nothing.
-- A secret that is older than it may be is told in the run's history. False where the attempt no longer holds its task.
create or replace function millrace.record_secret_read(
  worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, name text, version text, changed_at timestamptz default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  held record;
  found_secret secret;
begin
  if not enter_worker(record_secret_read.worker_id, record_secret_read.lock_key) then
    return false;
  end if;
  select t.run_id, d.step, t.item into held
    from task t join step_definition d on d.id = t.step_id
   where t.id = record_secret_read.task_id and t.step_id = record_secret_read.step_id and t.attempt = record_secret_read.attempt
     and t.worker_id = record_secret_read.worker_id and t.aborted_at is null
     for share of t;
  if not found then
    return false;
  end if;
  if record_secret_read.changed_at is not null then
    update secret s set changed_at = record_secret_read.changed_at
     where s.name = record_secret_read.name and s.source = 'aws' and s.changed_at <> record_secret_read.changed_at;
  end if;
  select s.* into found_secret from secret s where s.name = record_secret_read.name;
  insert into secret_read (run_id, step, item, attempt, name, version, source, worker_id, read_by, read_at)
  values (held.run_id, held.step, held.item, record_secret_read.attempt, record_secret_read.name, record_secret_read.version,
          case when record_secret_read.changed_at is not null then 'aws' else coalesce(found_secret.source, 'removed') end, record_secret_read.worker_id, session_user, at)
      on conflict do nothing;
  if found and found_secret.changed_at + make_interval(secs => found_secret.max_age_seconds) < at then
    perform write_event(held.run_id, 'secret.overdue',
      jsonb_build_object('name', record_secret_read.name, 'version', record_secret_read.version, 'changed_at', found_secret.changed_at,
                         'max_age_seconds', found_secret.max_age_seconds),
      held.step, held.item, record_secret_read.attempt);
  end if;
  return true;
end $$;
comment on function millrace.record_secret_read(uuid, int, bigint, int, int, text, text, timestamptz)
  is 'Records that an attempt is about to get a secret; false where it no longer holds its task.';
