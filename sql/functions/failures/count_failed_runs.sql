-- Counts runs that failed, where their version says after how many in a row to pause: of a run key, or of the pipeline where it has none. Who
-- reaches the number pauses, exactly once, because all of them change one row.
create or replace function millrace.count_failed_runs(run_ids uuid[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  counted record;
  told text;
begin
  for counted in
    insert into failure_streak as s (slug, tenant, key, failures, run_id, failed_at)
    select r.slug, case when r.key is not null then r.tenant end, r.key, count(*), max(r.id::text)::uuid, at
      from run r where r.id = any (run_ids) group by 1, 2, 3 order by 1, 3, 2
        on conflict (slug, key, tenant) do update set failures = s.failures + excluded.failures, run_id = excluded.run_id, failed_at = excluded.failed_at
    returning s.id, s.slug, s.key, s.failures, s.run_id, s.paused_at
  loop
    continue when counted.paused_at is not null or counted.failures < (
      select v.pause_after from run r join pipeline_version v on v.slug = r.slug and v.version = r.version where r.id = counted.run_id);
    told := case counted.failures when 1 then 'one run failed' else format('%s runs in a row failed', counted.failures) end;
    if counted.key is not null then
      update failure_streak s set paused_at = at where s.id = counted.id;
    else
      continue when not pause_pipeline(counted.slug, format('%s, the last one %s', told, counted.run_id));
    end if;
    insert into event (run_id, at, actor, kind, detail)
    values (counted.run_id, at, 'millrace', case when counted.key is null then 'pipeline.paused' else 'key.paused' end,
            jsonb_strip_nulls(jsonb_build_object('key', counted.key, 'failures', counted.failures)));
  end loop;
end $$;
comment on function millrace.count_failed_runs(uuid[], timestamptz) is 'Counts runs that failed in a row, and pauses their run key or pipeline after as many as its version says.';
