-- How far a run has come, from 0 to 100: the share of its steps that are final, with a map that runs counted by its items. It is 100 when
-- the run is completed, and only then.
create or replace function millrace.run_progress(run_id uuid) returns int
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_run record;
  share float8;
begin
  select r.slug, r.version, r.state into found_run from run r where r.id = run_progress.run_id;
  if not found then
    raise exception 'There is no run %.', run_progress.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  if found_run.state = 'completed' then
    return 100;
  end if;
  -- A map that has begun waits in join_state for the items that are left; one that has not, for the steps before it.
  select avg(case when d.kind <> 'map' or done.all_at_once > 0 then least(1, done.n)
                  when done.n = 0 then 0
                  else done.n::float8 / (done.n + coalesce(j.needs_left, 0)) end) into share
    from step_definition d
    left join join_state j on j.run_id = run_progress.run_id and j.step_id = d.id and d.kind = 'map'
   cross join lateral (
     select count(*) as n, count(*) filter (where a.item = -1) as all_at_once from attempt a
      where a.run_id = run_progress.run_id and a.step = d.step
        and is_last_attempt(a.outcome, a.item, a.retry_at)) done
   where d.slug = found_run.slug and d.version = found_run.version and d.kind not in ('end', 'undo', 'finally');
  return least(99, floor(100 * share));
end $$;
comment on function millrace.run_progress(uuid) is 'How far a run has come, from 0 to 100.';
