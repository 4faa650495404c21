-- Writes deliveries and what became of their starts: new ones, those that failed before and were judged once more, repeats as a count. Answers the
-- places of the new ones that were kept: of refused ones not all are.
create or replace function millrace.keep_deliveries(
  given millrace.received_delivery[], bodies bytea[], links millrace.delivery_link[], known_ids uuid[], answered_ids uuid[], at timestamptz) returns int[]
language plpgsql
as $$
#variable_conflict use_column
declare
  refused int[] := array(select g.place from unnest(given) g where g.state = 'refused' order by g.place);
  kept int[] := array(select g.place from unnest(given) g where g.state <> 'refused' and known_ids[g.place] is null and answered_ids[g.place] is null);
  delivery_ids uuid[];
begin
  if refused <> '{}' then
    kept := kept || millrace.count_refusals(refused, array(select g.webhook from unnest(given) g where g.state = 'refused' order by g.place),
                                            array(select g.reason from unnest(given) g where g.state = 'refused' order by g.place), at);
  end if;
  insert into millrace.delivery (id, webhook, provider_id, tenant, received_at, judged_at, tries, repeats, state, status, reason, problem, content_type,
                                 headers, source_ip, body, sealed_body, body_bytes, body_digest, replay_of)
  select g.id, g.webhook, g.provider_id, g.tenant, at, at, 1, 0, g.state, g.status, g.reason, g.problem, g.content_type, coalesce(g.headers, '{}'),
         g.source_ip, case when g.state <> 'refused' then bodies[g.place] end, g.sealed_body, g.body_bytes, decode(g.body_digest, 'hex'), g.replay_of
    from unnest(given) g where g.place = any (kept)
   order by g.place
      on conflict (id) do nothing;

  if array_remove(known_ids || answered_ids, null) <> '{}' then
    update millrace.delivery d
       set judged_at = at, tries = d.tries + 1, tenant = g.tenant, state = g.state, status = g.status, reason = g.reason, problem = g.problem,
           content_type = g.content_type, headers = coalesce(g.headers, '{}'), source_ip = g.source_ip, body = bodies[g.place], sealed_body = g.sealed_body,
           body_bytes = g.body_bytes, body_digest = decode(g.body_digest, 'hex')
      from unnest(given) g
     where d.id = any (array[known_ids[g.place]]) and answered_ids[g.place] is null and g.state <> 'refused';
    update millrace.delivery d set repeats = d.repeats + 1
      from unnest(given) g
     where d.id = any (array[answered_ids[g.place]]) and g.state <> 'refused' and g.replay_of is null;
  end if;

  delivery_ids := array(select coalesce(known_ids[g.place], g.id) from unnest(given) g order by g.place);
  insert into millrace.delivery_run (delivery_id, pipeline, outcome, run_id, rule, passes_at)
  select delivery_ids[l.place], l.pipeline, l.outcome, l.run_id, l.rule, l.passes_at from unnest(links) l
      on conflict (delivery_id, pipeline) do update
     set outcome = excluded.outcome, run_id = excluded.run_id, rule = excluded.rule, passes_at = excluded.passes_at;
  return kept;
end $$;
comment on function millrace.keep_deliveries(millrace.received_delivery[], bytea[], millrace.delivery_link[], uuid[], uuid[], timestamptz)
  is 'Writes deliveries and what became of their starts; answers the places of the new ones that were kept.';
