-- Fits retries into the allowances of their pipelines: those that are free keep their time, the others get the next share (generic cell rate
-- algorithm, in one row a pipeline), or none where the step is to fail then. Only what is changed is answered. What the allowance is a share
-- of, the runs that started in its length of time, is counted anew once that is over: so nothing is counted where nothing fails.
create or replace function millrace.pace_retries(places bigint[], definitions millrace.step_definition[], again_ats timestamptz[], at timestamptz)
returns table (place bigint, again_at timestamptz, reason text)
language plpgsql
as $$
#variable_conflict use_column
declare
  given record;
  settings jsonb;
  per interval;
  every interval;
  spent retry_allowance;
begin
  for given in
    select (g.definition).slug, max((g.definition).version) as version, array_agg(g.place order by g.again_at, g.place) as places,
           array_agg(g.again_at order by g.again_at, g.place) as ats, array_agg((g.definition).retry_pacing order by g.again_at, g.place) as pacings
      from unnest(places, again_ats) with ordinality u(place, again_at, n)
     cross join lateral (select u.place, u.again_at, pace_retries.definitions[u.n] as definition) g
     group by 1 order by 1
  loop
    select v.graph -> 'retry_allowance' into settings from pipeline_version v where v.slug = given.slug and v.version = given.version;
    per := make_interval(secs => (settings -> 'per_ms')::float8 / 1000);
    insert into retry_allowance as a (slug, allowed, counted_at, full_until) values (given.slug, 1, '-infinity', '-infinity') on conflict (slug) do nothing;
    select a.* into spent from retry_allowance a where a.slug = given.slug for update;
    if spent.counted_at <= at - per then
      spent.counted_at := at;
      select greatest(1, (settings -> 'least')::int, floor((settings -> 'share')::float8 * count(*))::int) into spent.allowed
        from (select from run r join pipeline_version v on v.slug = r.slug and v.version = r.version
               where v.slug = given.slug and r.slug = given.slug and r.id >= uuid_floor(at - per) limit 100000) started;
    end if;
    every := per / spent.allowed;
    spent.full_until := greatest(spent.full_until, at);
    for n in 1 .. cardinality(given.places) loop
      again_at := spent.full_until + every - per;
      if again_at > given.ats[n] then
        place := given.places[n];
        reason := format('the pipeline allows %s retries in %s s, and they were used up', spent.allowed, round(extract(epoch from per)::numeric, 3)::float8);
        if given.pacings[n] = 'fail' then
          again_at := null;
          return next;
          continue;
        end if;
        return next;
      end if;
      spent.full_until := least(spent.full_until + every, at + interval '1 year');
    end loop;
    update retry_allowance a set allowed = spent.allowed, counted_at = spent.counted_at, full_until = spent.full_until where a.slug = given.slug;
  end loop;
end $$;
comment on function millrace.pace_retries(bigint[], millrace.step_definition[], timestamptz[], timestamptz)
  is 'Fits retries into the allowances of their pipelines; answers for those that get another time, or none.';
