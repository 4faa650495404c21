-- Starts what new deliveries are to start, and answers what became of each start. What an earlier judgement of the same delivery started is left out:
-- of a replay, what the one that it is of or another replay has started, also where the replay itself is known, since its answer was lost.
-- It waits for what an open transaction holds no longer than others of its batch can stand: then nothing of the batch is kept.
create or replace function millrace.start_deliveries(starts jsonb, given millrace.received_delivery[], known_ids uuid[], answered_ids uuid[], at timestamptz)
returns millrace.delivery_link[]
language plpgsql
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  places int[];
  run_ids uuid[];
  slugs text[];
  versions int[];
  inputs jsonb[];
  tenants text[];
  links millrace.delivery_link[];
begin
  select array_agg(s.place order by s.place, s.slug), array_agg(s.run_id order by s.place, s.slug), array_agg(s.slug order by s.place, s.slug),
         array_agg(s.version order by s.place, s.slug), array_agg(coalesce(s.input, 'null') order by s.place, s.slug),
         array_agg(given[s.place].tenant order by s.place, s.slug)
    into places, run_ids, slugs, versions, inputs, tenants
    from jsonb_to_recordset(starts) s(place int, run_id uuid, slug text, version int, input jsonb)
   where given[s.place].state = 'accepted' and answered_ids[s.place] is null
     and not millrace.is_started(coalesce(case when not coalesce(given[s.place].again, false) then given[s.place].replay_of end, known_ids[s.place]), s.slug);
  if places is null then
    return array[]::millrace.delivery_link[];
  end if;
  if array_position(tenants, null) is not null and array_remove(tenants, null) = '{}' then
    tenants := null;
  end if;
  select array_agg(row(g.place, g.slug, coalesce(a.reason, 'started'), case when a.run_id is null then g.run_id else a.live_run_id end, a.rule, a.passes_at)
                     ::millrace.delivery_link order by g.place, g.slug)
    into links
    from unnest(places, run_ids, slugs) g(place, run_id, slug)
    left join millrace.start_runs(run_ids, slugs, versions, inputs, tenants => tenants, started_via => 'webhook', wake_always => false, given_ids => false) a
      on a.run_id = g.run_id;
  insert into millrace.event (run_id, at, actor, kind, detail)
  select l.run_id, at, session_user, 'run.triggered', jsonb_build_object(
           'by', 'webhook', 'webhook', given[l.place].webhook, 'delivery', coalesce(known_ids[l.place], given[l.place].id))
    from unnest(links) l where l.outcome = 'started';
  return links;
end $$;
comment on function millrace.start_deliveries(jsonb, millrace.received_delivery[], uuid[], uuid[], timestamptz) is 'Starts what new deliveries are to start, and answers what became of each start.';
