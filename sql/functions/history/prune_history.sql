-- Drops history beyond its retention: of the whole installation by partition, of a pipeline with a shorter one in bounded batches.
-- Live runs and failed ones that nobody has decided on move to the default partition with their history when the old one is taken out. What
-- such a run called and waited for stays as long: a step that is tried again reads how its calls ended. So does what is still to be told of an end.
-- A week goes in several calls, which do nothing else: none of them holds what workers ask for longer than it takes to move what stays.
-- Where nobody said clearly how long, none is dropped by age: only a pipeline's own retention counts then.
-- A lock that can't be had within a second is tried again with the next call. Answers with the weeks dropped and the runs deleted.
create or replace function millrace.prune_history(batch int default 1000)
returns table (dropped_partitions int, deleted_runs int, more boolean)
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '1s'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  keep_from timestamptz := greatest('epoch', at - make_interval(days => setting_number('retention_days')::int));
  week_turn text;
  deleted int;
  old_runs uuid[];
  kept_table text;
begin
  dropped_partitions := 0;
  deleted_runs := 0;
  more := false;
  if not pg_try_advisory_xact_lock(77422, 2) then
    return next;
    return;
  end if;
  week_turn := prune_weeks(keep_from, batch);
  if week_turn in ('detached', 'cleared', 'dropped') then
    dropped_partitions := (week_turn = 'dropped')::int;
    more := true;
    return next;
    return;
  end if;

  old_runs := ended_runs(at, keep_from, week_turn is not distinct from 'full', batch);
  if old_runs <> '{}' then
    perform leave_artifacts(old_runs);
    foreach kept_table in array history_tables() || run_tables() loop
      continue when kept_table = 'run';
      execute format('delete from millrace.%I where run_id = any ($1)', kept_table) using old_runs;
    end loop;
    delete from run where id = any (old_runs);
  end if;
  deleted_runs := cardinality(old_runs);

  more := deleted_runs >= batch;
  delete from idempotency where ctid = any (array(select ctid from idempotency where expires_at < at limit batch));
  get diagnostics deleted = row_count;
  more := more or deleted >= batch;
  delete from signal where id = any (array(select id from signal where sent_at < at - interval '30 days' order by sent_at limit batch));
  get diagnostics deleted = row_count;
  more := more or deleted >= batch;
  -- A step that was done with its first attempt, without the answer of an endpoint that it had asked, has nobody who would remove its wait.
  perform drop_waits(array(
    select w.id from wait w join run r on r.id = w.run_id where w.token_hash is not null and r.finished_at is not null limit batch), at);
  with ended as (
    delete from redrive where id = any (array(select id from redrive where finished_at < keep_from limit 10)) returning id
  )
  delete from redrive_item i using ended e where i.redrive_id = e.id;
  -- Dead letters from before fingerprints were kept.
  update dead_letter l set fingerprint = error_fingerprint(l.slug, l.step, l.error)
   where l.run_id = any (array(select f.run_id from dead_letter f where f.fingerprint is null limit batch));
  delete from run_watch where expires_at < at;
  more := prune_firings(batch, keep_from) or more;
  more := prune_events(batch, at) or more;
  more := prune_agent_requests(batch, at) or more;
  more := prune_untold(batch, at) or more;
  perform prune_changes(batch, at);
  perform prune_start_states(batch, at);
  perform prune_limit_states(batch, at);
  delete from worker w where w.id = any (array(select id from worker where state = 'gone' and gone_at < keep_from limit batch));
  get diagnostics deleted = row_count;
  more := more or deleted >= batch;
  return next;
end $$;
comment on function millrace.prune_history(int) is 'Drops history beyond its retention.';
