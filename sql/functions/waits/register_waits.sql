-- Registers what steps wait for. What is registered already keeps its time, and what has a result already is left out. Approvals are opened and
-- children started here; what has come already (a kept signal, a time that has passed, a call of no runs) ends its wait at once. The steps'
-- tasks are locked by the caller, and so are the names of their signals. Answers with the tasks of called runs that come leased to the worker.
create or replace function millrace.register_waits(
  run_ids uuid[], step_ids int[], items int[], attempts int[], waits jsonb[], at timestamptz,
  worker_id uuid default null, lock_key int default null, room int default 0)
returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  new_ids bigint[];
  new_specs jsonb[];
  new_kinds text[];
  signal_waits bigint[];
  leased_ids bigint[] := array[]::bigint[];
begin
  with spec as materialized (
    select g.run_id, g.step_id, d.step, g.item, g.attempt, s.spec, s.spec ->> 'name' as name, s.spec ->> 'kind' as kind,
           coalesce((s.spec ->> 'until')::timestamptz, at + make_interval(secs => (s.spec ->> 'ms')::float8 / 1000)) as due_at, g.n, s.place
      from unnest(run_ids, step_ids, items, attempts, waits) with ordinality g(run_id, step_id, item, attempt, waits, n)
      join step_definition d on d.id = g.step_id
     cross join lateral jsonb_array_elements(g.waits) with ordinality s(spec, place)
  ), added as (
    insert into wait as known (run_id, step_id, item, name, place, attempt, kind, signal_names, signal_take, signal_match, child_run, children_left,
                               token_hash, due_at, created_at)
    select s.run_id, s.step_id, s.item, s.name, (s.spec ->> 'place')::int, s.attempt, s.kind,
           case s.kind when 'signal' then array(select jsonb_array_elements_text(s.spec -> 'signals')) end,
           case s.kind when 'signal' then coalesce(s.spec ->> 'take', 'next') end,
           case s.kind when 'signal' then s.spec -> 'match' end,
           case s.kind when 'call' then (s.spec #>> '{start,id}')::uuid end,
           case s.kind when 'call' then greatest(1, coalesce(jsonb_array_length(s.spec -> 'children'), 1)) end,
           case s.kind when 'http' then decode(s.spec ->> 'token', 'hex') end,
           s.due_at, at
      from spec s
     where not exists (select from checkpoint c where c.run_id = s.run_id and c.step = s.step and c.item = s.item and c.name = s.name)
     order by s.n, s.place
        on conflict (run_id, step_id, item, name) do update set token_hash = excluded.token_hash where known.token_hash <> excluded.token_hash
    returning id, run_id, step_id, item, name, kind
  )
  select array_agg(a.id order by a.id), array_agg(s.spec order by a.id), array_agg(a.kind order by a.id) into new_ids, new_specs, new_kinds
    from added a join spec s on s.run_id = a.run_id and s.step_id = a.step_id and s.item = a.item and s.name = a.name
   where a.kind in ('signal', 'approval', 'call');

  if new_ids is not null then
    insert into wait_signal (wait_id, name, take, run_id)
    select w.id, n.name, w.signal_take, w.run_id
      from wait w cross join lateral (select distinct unnest(w.signal_names)) n(name) where w.id = any (new_ids) and w.kind = 'signal';
    if 'approval' = any (new_kinds) then
      perform open_approvals(new_ids, new_specs, at);
    end if;
    if 'call' = any (new_kinds) then
      leased_ids := start_children(new_ids, new_specs, at, register_waits.worker_id, register_waits.lock_key, register_waits.room);
    end if;
  end if;
  signal_waits := array(
    select w.id from unnest(run_ids, step_ids, items) g(run_id, step_id, item)
      join wait w on w.run_id = any (array[g.run_id]) and w.step_id = g.step_id and w.item = g.item and w.kind = 'signal' order by w.id + 0);
  if signal_waits <> '{}' then
    perform take_signals(signal_waits, at);
  end if;
  perform expire_waits(run_ids, step_ids, items, at);
  return leased_ids;
end $$;
comment on function millrace.register_waits(uuid[], int[], int[], int[], jsonb[], timestamptz, uuid, int, int) is 'Registers what steps wait for, and ends what has come already.';
