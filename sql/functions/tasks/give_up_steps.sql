-- What becomes of steps that failed for good, whoever found that out: a worker's failure, or the sweep after a worker that died. The run
-- fails; or onError passes the error over; or the map of an item tolerates it; or the map ends early with all its items, as its own
-- onError says. What follows a run's outcome changes nothing by its own failure. The tasks have left already. What fails or ends early was locked before that (see lock_failing_runs).
create or replace function millrace.give_up_steps(
  run_ids uuid[], step_ids int[], items int[], attempts int[], priorities smallint[], run_paused boolean[], errors jsonb[], at timestamptz)
returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  given record;
  dead_runs uuid[] := array[]::uuid[];
  dead_steps text[] := array[]::text[];
  dead_items int[] := array[]::int[];
  dead_errors jsonb[] := array[]::jsonb[];
  going_places int[] := array[]::int[];
  going_items int[] := array[]::int[];
begin
  perform 1 from join_state j where j.run_id = any (run_ids) order by j.run_id, j.step_id for update;
  -- What they had parked for once, or opened ahead, nobody waits for any more.
  perform drop_waits(array(
    select w.id from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
      join wait w on w.run_id = any (array[g.run_id]) and w.step_id = g.step_id and w.item = g.item), at);
  for given in
    select judged.*, row_number() over (partition by judged.run_id, judged.step_id order by judged.n) = 1 as is_first
      from (select g.*, d as definition, d.step, d.kind,
                   case when d.kind in ('undo', 'finally') then 'tolerated'
                        when d.kind = 'map' and count(*) over (partition by g.run_id, g.step_id) <= coalesce(j.failures_left, 0) then 'tolerated'
                        when d.on_error = 'fail' then 'fails' else 'passed over' end as fate,
                   case when d.kind = 'map' and j.failures_left is not null then map_failed(d, g.item, g.error) else g.error end as told_error
              from unnest(run_ids, step_ids, items, attempts, errors) with ordinality g(run_id, step_id, item, attempt, error, n)
              join step_definition d on d.id = g.step_id
              left join join_state j on j.run_id = any (array[g.run_id]) and j.step_id = any (array[g.step_id])) judged
     order by judged.fate = 'fails' desc, judged.n
  loop
    if given.fate = 'fails' then
      dead_runs := dead_runs || given.run_id;
      dead_steps := dead_steps || given.step;
      dead_items := dead_items || given.item;
      dead_errors := dead_errors || given.told_error;
    elsif given.run_id <> all (dead_runs) and given.fate = 'tolerated' then
      going_places := going_places || given.n::int;
      going_items := going_items || given.item;
    elsif given.run_id <> all (dead_runs) and given.is_first then
      if given.kind = 'map' then
        perform abort_tasks(array[given.run_id], 'failed', at, given.step_id);
      end if;
      perform pass_over_error(given.run_id, given.definition, case given.kind when 'map' then 1 else given.attempt + 1 end, given.told_error, at);
      going_places := going_places || given.n::int;
      going_items := going_items || -1;
    end if;
  end loop;

  if going_places <> '{}' then
    perform advance_runs(
      array_agg(run_ids[g.place] order by g.n), array_agg(step_ids[g.place] order by g.n), going_items,
      array_agg(priorities[g.place] order by g.n), array_agg(run_paused[g.place] order by g.n),
      null, 0, 10::smallint, '{}', at, array_agg(g.item >= 0 order by g.n))
       from unnest(going_places, going_items) with ordinality g(place, item, n);
  end if;
  if dead_runs <> '{}' then
    perform fail_runs(dead_runs, dead_steps, dead_items, dead_errors, at);
  end if;
end $$;
comment on function millrace.give_up_steps(uuid[], int[], int[], int[], smallint[], boolean[], jsonb[], timestamptz)
  is 'What becomes of steps that failed for good.';
