-- Judges one start by the rules of its pipeline, whose states for its keys are locked. First the rule that makes one run of several, then the
-- latest of a key, then what waits, then throttles: nothing is counted for a start that one of them refuses.
--
-- A call, a copy or a continued run is a run that somebody waits for by its own id: it goes into no other. Copies and continued runs are no
-- more load than their originals were, so only the rule on the latest of a key holds for them, and they take nobody's place.
create or replace function millrace.judge_start(
  start_id uuid, version int, input jsonb, headers jsonb, available_at timestamptz, state_ids bigint[], started_via text,
  batch_ids uuid[], batch_versions int[], is_refused boolean, at timestamptz,
  out reason text, out live_run uuid, out rule text, out passes_at timestamptz, out due_at timestamptz, out into_place int, out is_held boolean)
language plpgsql
as $$
#variable_conflict use_variable
declare
  judged record;
  is_copy boolean := started_via in ('continued', 'redrive', 'fork', 'rerun');
  is_own boolean := is_copy or started_via = 'call';
  passing timestamptz;
  other uuid;
  other_rule text;
begin
  due_at := available_at;
  is_held := false;
  for judged in
    select k.rule, s.state
      from unnest(state_ids) g(id)
     cross join lateral (select s as state from start_state s where s.id = g.id limit 1) s
     cross join lateral (select k as rule from start_rule k where k.id = (s.state).rule_id limit 1) k
     where ((k.rule).kind = 'latest' or not is_copy) and ((k.rule).kind <> 'debounce' or not is_own)
     order by case when (k.rule).coalesces then 0 when (k.rule).kind = 'latest' then 1 when (k.rule).kind = 'waiting' then 2 else 3 end, (k.rule).id
  loop
    rule := (judged.rule).name;
    if (judged.rule).kind = 'throttle' then
      passing := (judged.state).times[cardinality((judged.state).times) - (judged.rule).starts + 1] + make_interval(secs => (judged.rule).per_ms / 1000);
      continue when passing is null or passing <= at;
    end if;

    if (judged.rule).coalesces and not is_own then
      into_place := array_position(batch_ids, (judged.state).run_id);
      if exists (select from run r where r.id = (judged.state).run_id) then
        into_place := null;
      end if;
      due_at := greatest(available_at, case when (judged.rule).kind = 'throttle' then (judged.state).times[cardinality((judged.state).times)]
        else least(at + make_interval(secs => (judged.rule).wait_ms / 1000), (judged.state).first_at + make_interval(secs => (judged.rule).wait_most_ms / 1000)) end);
      if (case when into_place is not null then batch_versions[into_place] = version
               else fold_start((judged.state).run_id, version, input, headers, due_at) end) then
        reason := 'coalesced';
        live_run := (judged.state).run_id;
        update coalesced_start c set starts = c.starts + 1, last_at = greatest(c.last_at, at) where c.run_id = live_run;
        return;
      end if;
      into_place := null;
      due_at := greatest(available_at, case when (judged.rule).kind = 'throttle' then passing else at + make_interval(secs => (judged.rule).wait_ms / 1000) end);
    elsif (judged.rule).kind = 'throttle' then
      reason := 'limit';
      passes_at := passing;
      return;
    elsif (judged.rule).kind = 'latest' and (judged.state).run_id <> start_id
          and (exists (select from run r where r.id = (judged.state).run_id and r.finished_at is null)
               or ((judged.state).run_id = any (batch_ids) and not exists (select from run r where r.id = (judged.state).run_id))) then
      if (judged.rule).action = 'reject newcomer' or is_copy then
        reason := 'live';
        live_run := (judged.state).run_id;
        return;
      end if;
      other := (judged.state).run_id;
      other_rule := rule;
    elsif (judged.rule).kind = 'waiting' and (judged.state).waiting >= (judged.rule).most
          and count_tickets((judged.state).id, batch_ids) >= (judged.rule).most then
      reason := 'limit';
      return;
    end if;
  end loop;
  rule := null;
  if is_refused then
    -- Its run key is live, and the run that has it takes in no others any more.
    reason := 'passed over';
    return;
  end if;
  perform count_start(start_id, state_ids, is_copy, is_own, due_at, at);
  if other is not null then
    is_held := true;
    perform take_place(start_id, other, other_rule, due_at, at);
    due_at := greatest(due_at, at + interval '1 second');
  end if;
end $$;
comment on function millrace.judge_start(uuid, int, jsonb, jsonb, timestamptz, bigint[], text, uuid[], int[], boolean, timestamptz)
  is 'Judges one start by the rules of its pipeline.';
