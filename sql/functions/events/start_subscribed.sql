-- Starts a run for each event and subscription that fit, all in one call, and writes down what became of each. The runs are of the event's tenant.
create or replace function millrace.start_subscribed(fits millrace.subscribed_event[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  given record;
begin
  select array_agg(f.run_id order by f.n) as runs, array_agg(f.slug order by f.n) as slugs, array_agg(event_input(e.payload, s.input_paths) order by f.n) as inputs,
         array_agg(f.tenant order by f.n) as tenants, array_agg(null::int) as versions into given
    from unnest(fits) with ordinality f(event_id, subscription_id, slug, tenant, part, run_id, cut, n)
    join emitted_event e on e.id = f.event_id
    join subscription s on s.id = f.subscription_id;
  insert into event_start (event_id, subscription_id, run_id, at)
  select f.event_id, f.subscription_id, f.run_id, start_subscribed.at from unnest(fits) f;
  update event_start g
     set run_id = null, refusal = s.reason,
         detail = case when s.rule is not null then format('Rule ''%s'' on starts stands against it.', s.rule)
                       when s.live_run_id is not null then format('Run %s stands in its place.', s.live_run_id)
                       when s.reason = 'paused' then 'The pipeline is paused, or its run key is.' end
    from start_runs(given.runs, given.slugs, given.versions, given.inputs, tenants => given.tenants, started_via => 'event', wake_always => false, given_ids => false) s
    join unnest(fits) f on f.run_id = s.run_id
   where g.event_id = f.event_id and g.subscription_id = f.subscription_id;
  insert into event (run_id, at, actor, kind, detail)
  select g.run_id, start_subscribed.at, session_user, 'run.triggered',
         jsonb_build_object('by', 'event', 'event', e.name, 'id', e.id, 'subscription', s.name)
    from unnest(fits) f
    join event_start g on g.event_id = f.event_id and g.subscription_id = f.subscription_id and g.run_id is not null
    join emitted_event e on e.id = f.event_id
    join subscription s on s.id = f.subscription_id;
end $$;
comment on function millrace.start_subscribed(millrace.subscribed_event[], timestamptz) is 'Starts a run for each event and subscription that fit, and writes down what became of each.';
