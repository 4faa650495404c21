-- Judges the starts of a batch by the rules of their pipelines, after pause, idempotency keys and run keys: who is refused and why, what the
-- others are started with (a start that takes in others of this batch has the last one's input, and its time), and which begin behind another.
--
-- Each key of each rule has a state, and starts lock theirs in one order before they read any: so a rule is exact, whoever starts at once, and a
-- start in somebody's open transaction holds up nothing but its own keys. An id that is a run already was judged when it began.
create or replace function millrace.judge_starts(
  run_ids uuid[], slugs text[], versions int[], inout inputs jsonb[], tenants text[], inout headers jsonb[], inout available_ats timestamptz[],
  idempotency_keys text[], idempotency_seconds int[], started_via text, at timestamptz,
  out places int[], out reasons text[], out live_runs uuid[], out rules text[], out passes_ats timestamptz[], out held_runs uuid[])
language plpgsql
as $$
#variable_conflict use_variable
declare
  given record;
  verdict record;
  asked_places int[];
  asked_rules int[];
  asked_keys text[];
begin
  select coalesce(array_agg(f.place), '{}'), array_agg(f.reason), array_agg(f.live_run_id), array_agg(null::text), array_agg(null::timestamptz)
    into places, reasons, live_runs, rules, passes_ats
    from refuse_starts(run_ids, slugs, versions, inputs, tenants, idempotency_keys, idempotency_seconds, at) f;
  headers := coalesce(headers, array_fill(null::jsonb, array[cardinality(run_ids)]));
  available_ats := coalesce(available_ats, array_fill(null::timestamptz, array[cardinality(run_ids)]));
  held_runs := '{}';
  perform check_start_rules(g.slug, g.version) from (select distinct u.slug, u.version from unnest(slugs, versions) u(slug, version)) g;

  select array_agg(q.place), array_agg(q.id), array_agg(q.key) into asked_places, asked_rules, asked_keys
    from (select g.place::int as place, k.id, composed_key(k.key_paths, g.input, null, g.tenant) as key
            from unnest(run_ids, slugs, inputs, tenants) with ordinality g(id, slug, input, tenant, place)
            join start_rule k on k.slug = g.slug
           -- A run key that is live may be that of a run that takes in others.
           where not exists (select from unnest(places, reasons) f(place, reason) where f.place = g.place and (f.reason <> 'live' or not k.coalesces))
             and not exists (select from run r where r.id = any (array[g.id]))) q;
  insert into start_state as s (rule_id, key, tenant, changed_at)
  -- As the columns sort, which is not as the database sorts other texts.
  select distinct a.rule_id, a.key collate "C", tenants[a.place] collate "C", at from unnest(asked_places, asked_rules, asked_keys) a(place, rule_id, key) order by 1, 2, 3
      on conflict (rule_id, key, tenant) do update set changed_at = excluded.changed_at;

  for given in
    select a.place, array_agg(s.id order by s.id) as states
      from unnest(asked_places, asked_rules, asked_keys) a(place, rule_id, key)
     cross join lateral (
       select s.id from start_state s where s.rule_id = a.rule_id and s.key = a.key and s.tenant is not distinct from tenants[a.place] limit 1) s
     group by a.place order by a.place
  loop
    select * into verdict
      from judge_start(run_ids[given.place], versions[given.place], inputs[given.place], headers[given.place], available_ats[given.place], given.states,
                       started_via, run_ids, versions, array_position(places, given.place) is not null, at);
    if verdict.reason = 'coalesced' and verdict.into_place is not null then
      inputs[verdict.into_place] := inputs[given.place];
      headers[verdict.into_place] := headers[given.place];
      available_ats[verdict.into_place] := verdict.due_at;
    end if;
    if verdict.reason is null then
      available_ats[given.place] := verdict.due_at;
      if verdict.is_held then
        held_runs := held_runs || run_ids[given.place];
      end if;
    elsif verdict.reason <> 'passed over' then
      if array_position(places, given.place) is not null then
        reasons[array_position(places, given.place)] := verdict.reason;
        rules[array_position(places, given.place)] := verdict.rule;
      else
        places := places || given.place;
        reasons := reasons || verdict.reason;
        live_runs := live_runs || verdict.live_run;
        rules := rules || verdict.rule;
        passes_ats := passes_ats || verdict.passes_at;
      end if;
      perform settle_start_keys(run_ids[given.place], slugs[given.place], tenants[given.place], idempotency_keys[given.place],
                                idempotency_seconds[given.place], inputs[given.place], verdict.reason, verdict.live_run, at);
      -- A repetition of it in this batch is answered as it is.
      for into_place in 1 .. cardinality(places) loop
        if live_runs[into_place] = run_ids[given.place] then
          reasons[into_place] := case when verdict.reason = 'coalesced' then reasons[into_place] else verdict.reason end;
          live_runs[into_place] := verdict.live_run;
          rules[into_place] := verdict.rule;
          passes_ats[into_place] := verdict.passes_at;
        end if;
      end loop;
    end if;
  end loop;
  if not exists (select from unnest(available_ats) a where a is not null) then
    available_ats := null;
  end if;
end $$;
comment on function millrace.judge_starts(uuid[], text[], int[], jsonb[], text[], jsonb[], timestamptz[], text[], int[], text, timestamptz)
  is 'Judges the starts of a batch by the rules of their pipelines.';
