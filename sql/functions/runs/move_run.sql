-- Moves one live run to another version, in which all that it has reached stands alike: its open tasks and what they wait for become those of
-- the other version, its joins are counted anew, and steps that are new there and wait for nothing any more begin. The caller holds the
-- locks of the run's tasks, of the strict orders at whose head they are, of its joins and its row, and has made sure that it can be moved.
create or replace function millrace.move_run(moved_run uuid, from_version int, to_version int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  moved run;
  open text[];
  final text[];
  rest int[];
  ready record;
  items jsonb[];
  is_final boolean;
begin
  select r.* into moved from run r where r.id = moved_run;
  -- Who is first in a strict order stays first, where the rule holds for the other version as well.
  update limit_state s set head_step = new.id
    from step_definition old join step_definition new on new.slug = old.slug and new.version = to_version and new.step = old.step
   where s.id = any (find_heads(array[moved_run])) and s.head_run = moved_run and old.id = s.head_step
     and exists (select from limited_step l where l.step_id = new.id and l.rule_id = s.rule_id);
  update task t set step_id = new.id, handler = new.handler
    from step_definition old join step_definition new on new.slug = old.slug and new.version = to_version and new.step = old.step
   where t.run_id = moved_run and old.id = t.step_id;
  update waiting_task w set step_id = new.id, handler = new.handler
    from step_definition old join step_definition new on new.slug = old.slug and new.version = to_version and new.step = old.step
   where w.run_id = moved_run and old.id = w.step_id;
  update map_item m set step_id = new.id
    from step_definition old join step_definition new on new.slug = old.slug and new.version = to_version and new.step = old.step
   where m.run_id = moved_run and old.id = m.step_id;
  update wait w set step_id = new.id
    from step_definition old join step_definition new on new.slug = old.slug and new.version = to_version and new.step = old.step
   where w.run_id = moved_run and old.id = w.step_id;

  select coalesce(array_agg(distinct d.step), '{}') into open
    from (select step_id from task where run_id = moved_run union all select step_id from waiting_task where run_id = moved_run) t
    join step_definition d on d.id = t.step_id;
  select coalesce(array_agg(distinct a.step), '{}') into final from attempt a where a.run_id = moved_run and a.step <> all (open);
  rest := array(select d.id from step_definition d
                 where d.slug = moved.slug and d.version = to_version and d.kind not in ('undo', 'finally') and d.step <> all (open || final)
                 order by d.position);
  -- A map that is under way keeps its count of items; every other count is made anew.
  update join_state j set step_id = new.id
    from step_definition old join step_definition new on new.slug = old.slug and new.version = to_version and new.step = old.step
   where j.run_id = moved_run and old.id = j.step_id and old.kind = 'map' and old.step = any (open);
  delete from join_state j using step_definition d
   where j.run_id = moved_run and d.id = j.step_id and d.version = from_version;
  insert into join_state (run_id, step_id, needs_left)
  select moved_run, d.id, left_over.needs
    from step_definition d
   cross join lateral (select count(*)::int as needs from unnest(d.needs) need(step) where need.step <> all (final)) left_over
   where d.id = any (rest) and cardinality(d.needs) > 1 and left_over.needs > 0;

  update run r set version = to_version, revision = revision + 1 where r.id = moved_run;
  perform write_event(moved_run, 'run.migrated', jsonb_build_object('from', from_version, 'to', to_version));

  for ready in
    select d.id, d.step, d.kind, d.needs,
           d.skips_with_needs and d.needs <> '{}' and not exists (select from unnest(d.needs) need(step)
             where not exists (select from skipped_steps(array[moved_run], array[need.step]))) as is_skipped
      from step_definition d where d.id = any (rest) and d.needs <@ final order by d.position
  loop
    items := array[null::jsonb];
    is_final := ready.is_skipped;
    if is_final then
      perform record_outcome(moved_run, ready.step, 1, 'skipped', null, null, format('all that it needs was skipped: %s', step_list(ready.needs)), at);
    elsif ready.kind = 'map' then
      select e.item_values, e.final into items, is_final from expand_map(moved_run, ready.id, at) e;
    end if;
    if is_final then
      perform advance_runs(array[moved_run], array[ready.id], array[-1], array[moved.priority], array[moved.paused_at is not null],
        null, 0, 0::smallint, '{}', at);
    else
      perform add_tasks(array_fill(moved_run, array[cardinality(items)]), array_fill(ready.id, array[cardinality(items)]),
        case ready.kind when 'map' then array(select generate_series(0, cardinality(items) - 1)) else array[-1] end, items,
        array[moved_run], array[moved.priority], array[moved.paused_at is not null], null, 0, 0::smallint, '{}', at);
      -- All of it may have been parked.
      perform wake_runs(array[moved_run]);
    end if;
  end loop;
end $$;
comment on function millrace.move_run(uuid, int, int, timestamptz) is 'Moves one live run to another version in which all that it has reached stands alike.';
