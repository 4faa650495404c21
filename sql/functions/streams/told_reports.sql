-- What a run has shown of itself: metadata, the progress that its steps told last, its metrics by name and labels, its objectives, the length of
-- its stream. A map of 100,000 items makes no larger answer than one of 100.
create or replace function millrace.told_reports(told_run uuid) returns jsonb
language sql stable
as $$
  select jsonb_build_object(
    'metadata', coalesce((select m.metadata from millrace.run_metadata m where m.run_id = told_run), '{}'),
    'parts', coalesce((select m.parts from millrace.run_metadata m where m.run_id = told_run), 0),
    'progress', (
      select coalesce(jsonb_agg(jsonb_build_object('step', p.step, 'item', nullif(p.item, -1), 'attempt', p.attempt,
               'done', p.done, 'total', p.total, 'note', p.note, 'at', p.at) order by p.at desc, p.step, p.item), '[]')
        from (select * from millrace.step_progress p where p.run_id = told_run and p.done is not null order by p.at desc, p.step, p.item limit 100) p),
    'metrics', (
      select coalesce(jsonb_agg(jsonb_build_object('name', m.name, 'labels', m.labels, 'values', m.n, 'last', m.last,
               'min', m.least, 'max', m.most, 'sum', m.sum) order by m.name, m.labels), '[]')
        from (select m.name, m.labels, count(*) as n, min(m.value) as least, max(m.value) as most, sum(m.value) as sum,
                     (array_agg(m.value order by m.at desc, m.item desc))[1] as last
                from millrace.run_metric m where m.run_id = told_run group by m.name, m.labels) m),
    'objectives', millrace.judge_objectives(told_run))
$$;
comment on function millrace.told_reports(uuid) is 'What a run has shown of itself: metadata, progress, metrics, objectives, the length of its stream.';
