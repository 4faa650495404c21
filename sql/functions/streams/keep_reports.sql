-- Keeps what held steps say, kind by kind, and answers which of it a bound refused. All but progress is written under a lock on the run's row of
-- metadata, in the order of the runs: so positions have no gap, a part is seen only when all before it are, and bounds hold between workers.
create or replace function millrace.keep_reports(run_ids uuid[], steps text[], items int[], attempts int[], kinds text[], bodies jsonb[], numbers int[])
returns table (n int, code text)
language plpgsql
as $$
#variable_conflict use_column
begin
  if kinds && array['metadata', 'metric', 'part'] then
    insert into run_metadata (run_id)
    select distinct said.run_id from unnest(run_ids, kinds) said(run_id, kind) where said.kind <> 'progress' order by said.run_id
        on conflict do nothing;
    perform from run_metadata m
      where m.run_id in (select said.run_id from unnest(run_ids, kinds) said(run_id, kind) where said.kind <> 'progress')
      order by m.run_id
        for update;
  end if;
  if 'progress' = any (kinds) then
    insert into step_progress as known (run_id, step, item, attempt, done, total, note, at)
    select distinct on (s.run_id, s.step, s.item) s.run_id, s.step, s.item, s.attempt,
           (s.body ->> 'done')::float8, (s.body ->> 'total')::float8, left(s.body ->> 'note', 200), millrace.now()
      from unnest(run_ids, steps, items, attempts, kinds, bodies) with ordinality s(run_id, step, item, attempt, kind, body, n)
     where s.kind = 'progress'
     order by s.run_id, s.step, s.item, s.n desc
        on conflict (run_id, step, item) do update
       set attempt = excluded.attempt, done = excluded.done, total = excluded.total, note = excluded.note, at = excluded.at,
           parts = case when known.attempt = excluded.attempt then known.parts else 0 end;
  end if;
  if 'metadata' = any (kinds) then
    return query select k.n, 'json_too_large' from keep_metadata(run_ids, kinds, bodies) k(n);
  end if;
  if 'metric' = any (kinds) then
    return query select k.n, 'metrics_too_many' from keep_metrics(run_ids, steps, items, attempts, kinds, bodies) k(n);
  end if;
  if 'part' = any (kinds) then
    return query select k.n, 'stream_full' from keep_parts(run_ids, steps, items, attempts, kinds, bodies, numbers) k(n);
  end if;
end $$;
comment on function millrace.keep_reports(uuid[], text[], int[], int[], text[], jsonb[], int[]) is 'Keeps what held steps say; answers which of it a bound refused.';
