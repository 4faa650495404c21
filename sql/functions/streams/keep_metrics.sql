-- Keeps the last value of each metric by step and item. A run has at most 20 names, and 100 of them with their labels; what goes beyond is
-- left out. Its caller holds the rows.
create or replace function millrace.keep_metrics(run_ids uuid[], steps text[], items int[], attempts int[], kinds text[], bodies jsonb[])
returns setof int
language plpgsql
as $$
declare
  fresh record;
begin
  for fresh in
    select s.run_id, s.body ->> 'name' as name, s.body ->> 'name' || ' ' || (s.body -> 'labels')::text as series
      from unnest(run_ids, kinds, bodies) with ordinality s(run_id, kind, body, n)
      join run_metadata m on m.run_id = s.run_id
     where s.kind = 'metric' and s.body ->> 'name' || ' ' || (s.body -> 'labels')::text <> all (m.series)
     group by 1, 2, 3 order by min(s.n)
  loop
    update run_metadata m set series = m.series || fresh.series
     where m.run_id = fresh.run_id and cardinality(m.series) < 100
       and (select count(*) < 20 or coalesce(bool_or(name = fresh.name), false)
              from (select distinct split_part(known, ' ', 1) as name from unnest(m.series) known) names);
  end loop;
  insert into run_metric as known (run_id, name, labels, step, item, attempt, value, at)
  select distinct on (s.run_id, s.body ->> 'name', s.body -> 'labels', s.step, s.item)
         s.run_id, s.body ->> 'name', s.body -> 'labels', s.step, s.item, s.attempt, (s.body ->> 'value')::float8, millrace.now()
    from unnest(run_ids, steps, items, attempts, kinds, bodies) with ordinality s(run_id, step, item, attempt, kind, body, n)
    join run_metadata m on m.run_id = s.run_id
   where s.kind = 'metric' and s.body ->> 'name' || ' ' || (s.body -> 'labels')::text = any (m.series)
   order by s.run_id, s.body ->> 'name', s.body -> 'labels', s.step, s.item, s.n desc
      on conflict (run_id, name, labels, step, item) do update set attempt = excluded.attempt, value = excluded.value, at = excluded.at;
  return query
    select s.n::int from unnest(run_ids, kinds, bodies) with ordinality s(run_id, kind, body, n)
      join run_metadata m on m.run_id = s.run_id
     where s.kind = 'metric' and s.body ->> 'name' || ' ' || (s.body -> 'labels')::text <> all (m.series);
end $$;
comment on function millrace.keep_metrics(uuid[], text[], int[], int[], text[], jsonb[]) is 'Keeps the last value of each metric; answers those that were too many.';
