-- Receives deliveries that were judged, in one transaction: those that are new start their runs and are kept, with what became of each; one that was
-- accepted before is answered as it was then. What a rule or a pause refused is kept as failed, so that its sender, or a replay, comes again.
-- starts: what each accepted one is to start, by its place among the deliveries, from 1.
create or replace function millrace.receive_deliveries(deliveries jsonb, bodies bytea[] default null, starts jsonb default '[]')
returns table (place int, delivery_id uuid, state text, status int, reason text, is_repeat boolean, retry_after_seconds int)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  given received_delivery[] := read_deliveries(deliveries);
  known_ids uuid[];
  answered_ids uuid[];
  links delivery_link[];
  kept int[];
  clear int;
begin
  perform pg_advisory_xact_lock(77432, l.key)
    from (select distinct hashtext(g.webhook || ' ' || coalesce(g.provider_id, g.replay_of::text)) as key
            from unnest(given) g where g.state <> 'refused' and coalesce(g.provider_id, g.replay_of::text) is not null order by 1) l;
  select array_agg(f.known_id order by f.place), array_agg(f.answered_by order by f.place) into known_ids, answered_ids
    from find_deliveries(given) f;
  -- What an encrypted pipeline is to get lies nowhere in the clear, whoever received it.
  foreach clear in array find_clear_bodies(given, starts) loop
    bodies[clear] := null;
    given[clear].body_digest := null;
  end loop;
  links := start_deliveries(starts, given, known_ids, answered_ids, at);
  given := settle_deliveries(given, links);
  kept := keep_deliveries(given, bodies, links, known_ids, answered_ids, at);
  return query
    select g.place, coalesce(answered_ids[g.place], known_ids[g.place], case when g.place = any (kept) then g.id end),
           coalesce(d.state, g.state), coalesce(d.status, g.status), case when d.id is null then g.reason else d.reason end, d.id is not null,
           (select case when min(l.passes_at) > at then ceil(extract(epoch from min(l.passes_at) - at))::int end from unnest(links) l where l.place = g.place)
      from unnest(given) g left join delivery d on d.id = any (array[answered_ids[g.place]])
     order by g.place;
end $$;
comment on function millrace.receive_deliveries(jsonb, bytea[], jsonb) is 'Receives deliveries: keeps them, starts their runs, and answers repeats as the first time.';
