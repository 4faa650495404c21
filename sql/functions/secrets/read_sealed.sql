-- What of the next ended runs of encrypted pipelines is encrypted with another key than this one, with the place where it stands: a bounded part of
-- the history at a time, by the ids of the runs. A row without a place says how far it looked; none comes where nothing is left. Live runs wait
-- until they have ended: what they hold moves.
create or replace function millrace.read_sealed(key text, after uuid default null, most int default 100)
returns table (run_id uuid, place text, step text, item int, name text, number bigint, value jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
declare
  looked uuid[];
  -- A run in the clear that called encrypted ones keeps what they gave, encrypted as they are.
  callers uuid[];
begin
  -- Nothing looked at would be answered as nothing left.
  if (most between 1 and 10000) is not true then
    perform refuse_argument('most', 'from 1 to 10,000', most::text);
  end if;
  looked := array(
    select r.id from (
      select n.id from pipeline_version v
       cross join lateral (select r.id from run r where r.slug = v.slug and r.version = v.version and (after is null or r.id > after)
                              and r.finished_at is not null order by r.id limit most) n
       where v.is_encrypted) r
     order by r.id limit most);
  if looked = '{}' then
    return;
  end if;
  callers := array(select distinct p.id from run r join run p on p.id = r.parent_run_id and p.finished_at is not null
                    where r.id = any (looked) and p.id <> all (looked));
  return query
    select s.run_id, s.place, s.step, s.item, s.name, s.number, s.value from (
      select r.id as run_id, g.place, null::text as step, null::int as item, null::text as name, null::bigint as number, g.value
        from run r cross join lateral (values ('run.input', r.input), ('run.output', r.output), ('run.error', r.error),
                                              ('run.outcome_error', r.outcome_error)) g(place, value)
       where r.id = any (looked)
      union all
      select a.run_id, g.place, a.step, a.item, null, a.attempt, g.value
        from attempt a cross join lateral (values ('attempt.output', a.output), ('attempt.error', a.error)) g(place, value)
       where a.run_id = any (looked)
      union all
      select c.run_id, g.place, c.step, c.item, c.name, null, g.value
        from checkpoint c cross join lateral (values ('checkpoint.value', c.value), ('checkpoint.error', c.error)) g(place, value)
       where c.run_id = any (looked) or (c.run_id = any (callers) and c.kind = 'call')
      union all
      select p.run_id, 'stream_part.value', p.step, p.item, null, p.position, p.value from stream_part p where p.run_id = any (looked)
      union all
      select e.run_id, 'event.detail', e.step, e.item, null, e.id, e.detail from event e
       where e.run_id = any (looked) or (e.run_id = any (callers) and e.kind = 'run.redriven')
      union all
      select l.run_id, 'dead_letter.error', null, null, null, null, l.error from dead_letter l where l.run_id = any (looked)
      union all
      select f.run_id, 'firing.error', null, null, null, f.id, f.error from firing f where f.run_id = any (looked)) s
     where s.value is not null and has_other_key(s.value, read_sealed.key);
  return query select looked[cardinality(looked)], null::text, null::text, null::int, null::text, null::bigint, null::jsonb;
end $$;
comment on function millrace.read_sealed(text, uuid, int) is 'What of the next ended runs is encrypted with another key than this one.';
