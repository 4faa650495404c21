-- The objectives of a run's pipeline, each with what was found: the values of a metric, whatever its labels, step and item, or one number of
-- the run's output. It is met where all of them lie within its range, and missed where one does not; where there is none it is missed once the
-- run has completed, and open before.
create or replace function millrace.judge_objectives(judged_run uuid) returns jsonb
language sql stable
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'name', o.name, 'min', o.least, 'max', o.most, 'output', o.range -> 'output',
           'values', f.n, 'found_min', f.least, 'found_max', f.most,
           'state', case when f.least < o.least or f.most > o.most then 'missed'
                         when f.n > 0 then 'met'
                         when r.state = 'completed' then 'missed'
                         else 'open' end) order by o.place), '[]')
    from millrace.run r
    join millrace.pipeline_version v on v.slug = r.slug and v.version = r.version
   cross join lateral (
     select e.key as name, e.value as range, (e.value ->> 'min')::float8 as least, (e.value ->> 'max')::float8 as most, e.place
       from jsonb_each(v.graph -> 'objectives') with ordinality e(key, value, place)) o
   cross join lateral (
     select count(*) as n, min(m.value) as least, max(m.value) as most from (
       select m.value from millrace.run_metric m where m.run_id = r.id and m.name = o.name and not o.range ? 'output'
       union all
       select (found.value #>> '{}')::float8
         from (select r.output #> array(select jsonb_array_elements_text(o.range -> 'output')) as value where o.range ? 'output') found
        where jsonb_typeof(found.value) = 'number') m) f
   where r.id = judged_run
$$;
comment on function millrace.judge_objectives(uuid) is 'The objectives of a run''s pipeline, and whether they are met, missed or open.';
