-- Starts the runs of events, whose rows are locked: one for each subscription that an event fits, a thousand in one call; where one start is wrong, each
-- alone, so that it fails alone. A subscription that the event came about by, or a chain of 16, is cut. What is refused is written down with its reason.
-- Answers how many are settled: past 2,000 starts or some 32 MB of input the rest is for the next call, so that no event is too big for one.
create or replace function millrace.start_event_runs(event_ids bigint[], at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  fits subscribed_event[];
  number int;
  part subscribed_event[];
  unfinished bigint[];
  settled int;
begin
  -- Each part that goes in one call has at most 1,000 starts, and 4 MB and a payload.
  with given as materialized (
    select e.id, e.name, e.payload, e.tenant, e.chain, e.due_at, octet_length(e.payload::text) as bytes,
           array(select h.subscription_id from event_start h where h.event_id = e.id) as done
      from emitted_event e where e.id = any (start_event_runs.event_ids)
  ), fitting as (
    select g.id, g.due_at, s.id as subscription_id, s.slug, g.tenant, case
             when s.paused_at is not null then 'paused'
             when s.id = any (g.chain) then 'cycle'
             when cardinality(g.chain) >= 16 then 'too_deep' end as cut,
           row_number() over places - 1 as starts_before, sum(g.bytes) over places - g.bytes as bytes_before
      from given g
      join subscription s on s.event = g.name and s.retired_at is null and (s.tenant is null or s.tenant = g.tenant) and (s.filter is null or g.payload @> s.filter)
     where s.id <> all (g.done)
    window places as (order by g.due_at, g.id, s.id)
  )
  select coalesce(array_agg(row(f.id, f.subscription_id, f.slug, f.tenant, f.starts_before / 1000 + div(f.bytes_before, 4000000),
                    uuid_v7(start_event_runs.at), f.cut)::subscribed_event
                    order by f.due_at, f.id, f.subscription_id) filter (where f.starts_before < 2000 and f.bytes_before < 32000000), '{}'),
         coalesce(array_agg(distinct f.id) filter (where f.starts_before >= 2000 or f.bytes_before >= 32000000), '{}')
    into fits, unfinished from fitting f;
  insert into event_start (event_id, subscription_id, refusal, detail, at)
  select f.event_id, f.subscription_id, f.cut, case f.cut
           when 'paused' then 'The subscription is paused.'
           when 'cycle' then format('It came about by an event of this same subscription, through %s.', coalesce('run ' || e.run_id, 'a run that was deleted'))
           else format('It is the end of a chain of %s events, each of a run that the one before had started; the last one is %s.',
                       cardinality(e.chain), coalesce('run ' || e.run_id, 'one that was deleted')) end,
         start_event_runs.at
    from unnest(fits) f join emitted_event e on e.id = f.event_id where f.cut is not null;
  fits := array(select f from unnest(fits) f where f.cut is null);
  for number in select distinct f.part from unnest(fits) f order by f.part loop
    part := array(select f from unnest(fits) f where f.part = number);
    begin
      perform start_subscribed(part, start_event_runs.at);
    exception when others then
      if is_put_off(sqlstate, start_event_runs.event_ids) then
        raise;
      end if;
      for n in 1 .. cardinality(part) loop
        begin
          perform start_subscribed(part[n:n], start_event_runs.at);
        exception when others then
          if is_put_off(sqlstate, start_event_runs.event_ids) then
            raise;
          end if;
          insert into event_start (event_id, subscription_id, refusal, detail, at)
          values ((part[n]).event_id, (part[n]).subscription_id, 'error', left(sqlerrm, 1000), start_event_runs.at);
        end;
      end loop;
    end;
  end loop;
  update emitted_event e set due_at = null, settled_at = start_event_runs.at
   where e.id = any (start_event_runs.event_ids) and e.id <> all (unfinished);
  get diagnostics settled = row_count;
  return settled;
end $$;
comment on function millrace.start_event_runs(bigint[], timestamptz) is 'Starts the runs of events, one for each subscription that an event fits; answers how many are settled.';
