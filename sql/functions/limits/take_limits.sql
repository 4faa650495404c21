-- Judges tasks that a claim has locked, in their order, by all rules that hold for them, a row for each task and rule (see claim_limited): those that may begin (at most `room`) come back with
-- the states that they take, the others are moved to where claims don't look, to wait for the first rule that stops them. All or nothing:
-- a task takes nothing of one rule while another one stops it. First breakers are asked, then concurrency, then rates, the
-- slowest first, so that a rate is used up only by what begins.
--
-- Who comes new waits behind those who wait; who was called (its holds are not null) does not, and begins if there is still room.
-- While a breaker is open, or a handler has asked for quiet, one of those who are stopped carries the time at which it may be tried; the others
-- wait until it has been. The first one after the time of an open breaker is its probe: it names the breaker among what it holds.
-- Where the oldest is to be cancelled, the newest tasks that fit keep their runs, and the runs of the others are cancelled.
--
-- What a rule without keys stops that leaves it where it is ready (see claim_in_lanes) is not moved.
--
-- In a strict order only who is at its head begins (see line_up_tasks); another one that comes here is lined up first.
--
-- Its settings are its own: without statistics a planner would sort all who wait (see call_waiters).
--
-- Who holds states already (a later round of the same claim) is not patient: a task whose states can't be had at once stays where it is.
create or replace function millrace.take_limits(
  row_tasks bigint[], row_states bigint[], row_costs float8[], room int, patient boolean, at timestamptz)
returns table (task_id bigint, holds text)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  -- The place of each row's state among the locked ones, and what its task brings along from where it waited.
  places int[];
  row_holds text[];
  row_names text[];
  heads text[];
  unlined bigint[] := array[]::bigint[];
  row_ready timestamptz[];
  ids bigint[];
  kinds text[];
  counts int[];
  capacities int[];
  strategies text[];
  units float8[];
  bursts int[];
  waits boolean[];
  laned boolean[];
  left_ids bigint[] := array[]::bigint[];
  served int[];
  -- What comes later than any task lives shares this time: a claim must not fail because so many wait for a slow rate.
  farthest constant interval := interval '100 years';
  timed boolean[];
  full_untils timestamptz[];
  open_untils timestamptz[];
  probes bigint[];
  held_untils timestamptz[];
  holder_lists text[];
  names text[];
  keys text[];
  stopped_tasks bigint[] := array[]::bigint[];
  stopped_places int[] := array[]::int[];
  stopped_untils timestamptz[] := array[]::timestamptz[];
  stopped_holds text[] := array[]::text[];
  admitted int := 0;
  next_row int := 1;
  first_row int;
  p int;
  called boolean;
  -- The rates that have given it the time at which it comes.
  timely bigint[];
  stop int;
  stop_until timestamptz;
  stop_hold text;
  filled timestamptz;
  begins_at timestamptz;
  span interval;
  -- Of which rates was looked up who is still there: before this call stops anybody, whom it would not see.
  asked boolean[];
  taken bigint[];
  standing bigint[];
  crowded_ids bigint[];
  newly_held bigint[] := array[]::bigint[];
  cancelled_runs uuid[];
  cancelled_reasons text[];
begin
  select array_agg(s.id), array_agg(s.kind), array_agg(s.used), array_agg(s.capacity), array_agg(s.strategy), array_agg(s.unit_ms), array_agg(s.burst),
         array_agg(s.waiting), array_agg(s.full_until), array_agg(s.open_until), array_agg(s.probe_id), array_agg(s.held_until),
         array_agg(s.holders::text), array_agg(s.name), array_agg(s.key), array_agg(s.head)
    into ids, kinds, counts, capacities, strategies, units, bursts, waits, full_untils, open_untils, probes, held_untils, holder_lists, names, keys, heads
    from lock_limit_states(array(select distinct u.id from unnest(row_states) u(id) where u.id > 0 order by u.id), patient) s;
  select array_agg(p.place order by p.n), array_agg(p.holds order by p.n), array_agg(p.ready_at order by p.n), array_agg(p.name order by p.n)
    into places, row_holds, row_ready, row_names
    from (select u.n, t.holds::text as holds, t.ready_at, format('%s %s %s', t.run_id, t.step_id, t.item) as name, case when u.state_id > 0 then dense_rank() over (partition by u.state_id > 0 order by u.state_id) end as place
            from unnest(row_tasks, row_states) with ordinality u(task_id, state_id, n) join task t on t.id = any (array[u.task_id])) p;
  timed := waits;
  -- What such a rule stops stays where it is (see claim_in_lanes), as long as nobody waits for it elsewhere.
  if exists (select from limit_rule k where k.in_lanes) then
    laned := array(select k.in_lanes and not s.waiting from unnest(ids) with ordinality u(id, n) left join limit_state s on s.id = any (array[u.id]) left join limit_rule k on k.id = s.rule_id order by u.n);
  end if;
  if true = any (waits) then
    -- Only those who can go on are waited behind: not what is paused, what no live worker serves, or what the next sweep cancels. Asked for one row of
    -- each state: an exists would be hashed by a planner without statistics, which reads all that wait.
    served := unpaused_handlers(served_handlers(at));
    waits := array(
      select u.waiting and (select true from waiting_task w where w.limit_state_id = u.id and not w.paused and w.handler = any (served)
                               and (select true from cancellation c where c.run_id = w.run_id limit 1) is null
                             order by w.priority, w.queued_at, w.id limit 1) is not null
        from unnest(ids, waits) with ordinality u(id, waiting, n) order by u.n);
    timed := array(
      select u.waiting and (select true from waiting_task w where w.limit_state_id = u.id and w.available_at is not null and not w.paused limit 1) is not null
        from unnest(ids, waits) with ordinality u(id, waiting, n) order by u.n);
  end if;

  while next_row <= cardinality(row_tasks) and admitted < room loop
    first_row := next_row;
    while row_tasks[next_row] = row_tasks[first_row] loop
      next_row := next_row + 1;
    end loop;
    called := row_holds[first_row] is not null;
    timely := case when called and at <= row_ready[first_row] + interval '2 seconds' then row_holds[first_row]::bigint[] else '{}' end;
    stop := null;
    stop_until := null;
    stop_hold := '{}';
    for i in first_row .. next_row - 1 loop
      p := places[i];
      continue when row_states[i] = 0;
      if ids[p] is null then
        stop := 0;
      elsif heads[p] <> row_names[i] then
        stop := 0;
        unlined := unlined || row_tasks[i];
      elsif held_untils[p] > at and kinds[p] <> 'rate' then
        stop := p;
        stop_until := case when not timed[p] then greatest(held_untils[p], open_untils[p]) end;
      elsif kinds[p] = 'concurrency' then
        if counts[p] >= capacities[p] or (waits[p] and not called) then
          stop := p;
        end if;
      elsif kinds[p] = 'breaker' then
        if open_untils[p] > at or probes[p] is not null then
          stop := p;
          stop_until := case when open_untils[p] > at and not timed[p] then open_untils[p] end;
        end if;
      else
        continue when ids[p] = any (timely) and (held_untils[p] > at) is not true;
        -- The time of its last unit; it may begin as soon as no more than the burst lies ahead, but not before somebody wants to be left alone no more.
        span := make_interval(secs => bursts[p] * units[p] / 1000);
        loop
          filled := least(greatest(full_untils[p], held_untils[p], at), at + farthest) + make_interval(secs => row_costs[i] / 1000);
          begins_at := greatest(filled - span, held_untils[p]);
          exit when begins_at <= at or asked[p];
          asked[p] := true;
          exit when (full_untils[p] > at + span) is not true;
          full_untils[p] := given_until(ids[p], full_untils[p], span, at);
        end loop;
        if begins_at > at then
          stop := p;
          stop_until := begins_at;
          -- What slower rates have given it is good for as long as it may come late: longer, and what many have been given would be used at once.
          stop_hold := (case when begins_at <= row_ready[first_row] + interval '2 seconds' then array_remove(timely, ids[p]) else '{}' end || ids[p])::text;
          full_untils[p] := filled;
        end if;
      end if;
      exit when stop is not null;
    end loop;
    if laned[stop] then
      left_ids := left_ids || ids[stop];
      stop := 0;
    end if;

    if stop is null then
      task_id := row_tasks[first_row];
      taken := null;
      for i in first_row .. next_row - 1 loop
        p := places[i];
        continue when p is null;
        if kinds[p] = 'concurrency' then
          counts[p] := counts[p] + 1;
          taken := taken || ids[p];
          if strategies[p] = 'cancel_oldest' then
            standing := coalesce(holder_lists[p], '{}')::bigint[];
            -- Where nobody is ever stopped, nobody else takes out those who have left (see find_oldest_runs).
            if cardinality(standing) >= 2 * capacities[p] then
              standing := still_held(ids[p], standing, newly_held);
            end if;
            holder_lists[p] := (array_remove(standing, row_tasks[first_row]) || row_tasks[first_row])::text;
            newly_held := newly_held || row_tasks[first_row];
          end if;
        elsif kinds[p] = 'rate' then
          if ids[p] <> all (timely) then
            full_untils[p] := least(greatest(full_untils[p], at), at + farthest) + make_interval(secs => row_costs[i] / 1000);
          end if;
        elsif open_untils[p] is not null then
          probes[p] := task_id;
          taken := taken || ids[p];
        end if;
      end loop;
      holds := taken::text;
      admitted := admitted + 1;
      return next;
    elsif stop > 0 then
      stopped_tasks := stopped_tasks || row_tasks[first_row];
      stopped_places := stopped_places || stop;
      stopped_untils := stopped_untils || stop_until;
      stopped_holds := stopped_holds || stop_hold;
      if kinds[stop] <> 'rate' then
        waits[stop] := true;
        timed[stop] := timed[stop] or stop_until is not null;
      end if;
    end if;
  end loop;

  update limit_state s
     set used = u.used, waiting = s.waiting or u.waiting, looked_at = case when u.waiting and not s.waiting then at else s.looked_at end, full_until = u.full_until, probe_id = u.probe_id, holders = u.holders::bigint[], changed_at = at
    from unnest(ids, counts, waits, full_untils, probes, holder_lists) u(id, used, waiting, full_until, probe_id, holders)
   where s.id = any (array[u.id]) and (s.used <> u.used or (u.waiting and not s.waiting) or s.holders is distinct from u.holders::bigint[]
                          or s.full_until is distinct from u.full_until or s.probe_id is distinct from u.probe_id);
  if left_ids <> '{}' then
    update limit_state s set left_at = at where s.id = any (left_ids);
  end if;
  if unlined <> '{}' then
    update task t set turn_key = null where t.id = any (unlined) and t.turn_key is not null;
  end if;
  if stopped_tasks <> '{}' then
    -- Who is rejected, or makes room for a newcomer, has its run cancelled by the next sweep: a claim holds no locks of runs.
    select array_agg(t.run_id), array_agg(format('there was no room under limit ''%s''%s', names[g.place], case when keys[g.place] <> '' then format(' for ''%s''', keys[g.place]) else '' end))
      into cancelled_runs, cancelled_reasons
      from unnest(stopped_tasks, stopped_places) g(task_id, place) join task t on t.id = any (array[g.task_id])
     where strategies[g.place] = 'reject_newest';
    crowded_ids := array(select distinct ids[g.place] from unnest(stopped_places) g(place) where strategies[g.place] = 'cancel_oldest');
    with stopped as (
      select g.task_id, ids[g.place] as state_id, g.until, g.holds
        from unnest(stopped_tasks, stopped_places, stopped_untils, stopped_holds) g(task_id, place, until, holds)
    ), removed as (
      delete from task t using stopped g where t.id = any (array[g.task_id]) returning t.*, g.state_id, g.until, g.holds as next_holds
    ), moved as (
      insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, available_at, queued_at, limit_state_id, holds, turn_key)
      select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, 'limit', r.until, r.ready_at, r.state_id, r.next_holds::bigint[], r.turn_key
        from removed r order by r.ready_at, r.id
    )
    -- For the account: which limit an attempt waited for. Who was called and is stopped again has its entry, mostly.
    insert into event (run_id, at, actor, kind, step, item, attempt, detail)
    select r.run_id, at, 'limit', 'limit.waited', d.step, r.item, r.attempt + 1,
           jsonb_build_object('limit', names[array_position(ids, r.state_id)], 'key', left(keys[array_position(ids, r.state_id)], 200))
      from removed r join step_definition d on d.id = r.step_id
     where r.holds is null;
    -- Who waits takes turns where those who come do.
    update limit_state s set turn_key = ''
     where s.id = any (ids) and s.turn_key is null and (select true from waiting_task w where w.limit_state_id = s.id and w.turn_key is not null limit 1);
    if crowded_ids <> '{}' then
      select cancelled_runs || array_agg(o.run_id), cancelled_reasons || array_agg(o.reason) into cancelled_runs, cancelled_reasons
        from find_oldest_runs(crowded_ids, newly_held) o;
    end if;
    insert into cancellation (run_id, reason, asked_at)
    select distinct on (c.run_id) c.run_id, c.reason, at from unnest(cancelled_runs, cancelled_reasons) c(run_id, reason) order by c.run_id
        on conflict (run_id) do nothing;
  end if;
  if true = any (waits) then
    perform call_waiters(array(select u.id from unnest(ids, waits) u(id, waiting) where u.waiting), at);
  end if;
end $$;
comment on function millrace.take_limits(bigint[], bigint[], float8[], int, boolean, timestamptz)
  is 'Judges tasks that a claim has locked by all rules that hold for them, and moves those that may not begin to where they wait.';
