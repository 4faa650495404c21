-- Appends parts to the streams of runs, 100,000 at most to each, and tells those who follow them. A part that its attempt has written already
-- came again because an answer was lost: it is left out. Its caller holds the rows.
create or replace function millrace.keep_parts(
  run_ids uuid[], steps text[], items int[], attempts int[], kinds text[], bodies jsonb[], numbers int[]) returns setof int
language plpgsql
as $$
declare
  fresh int[];
  followed uuid;
begin
  select coalesce(array_agg(s.n::int), '{}') into fresh
    from unnest(run_ids, steps, items, attempts, kinds, numbers) with ordinality s(run_id, step, item, attempt, kind, number, n)
    left join step_progress p on p.run_id = s.run_id and p.step = s.step and p.item = s.item and p.attempt = s.attempt
   where s.kind = 'part' and (s.number >= p.parts) is not false;
  insert into step_progress as known (run_id, step, item, attempt, parts, at)
  select s.run_id, s.step, s.item, s.attempt, coalesce(max(s.number) + 1, 0), millrace.now()
    from unnest(run_ids, steps, items, attempts, numbers) with ordinality s(run_id, step, item, attempt, number, n)
   where s.n = any (fresh)
   group by s.run_id, s.step, s.item, s.attempt
   order by s.run_id, s.step, s.item
      on conflict (run_id, step, item) do update
     set attempt = excluded.attempt,
         parts = greatest(excluded.parts, case when known.attempt = excluded.attempt then known.parts else 0 end),
         done = case when known.attempt = excluded.attempt then known.done end,
         total = case when known.attempt = excluded.attempt then known.total end,
         note = case when known.attempt = excluded.attempt then known.note end;
  return query
    select s.n::int
      from (select s.run_id, s.n, row_number() over (partition by s.run_id order by s.n) as place
              from unnest(run_ids) with ordinality s(run_id, n) where s.n = any (fresh)) s
      join run_metadata m on m.run_id = s.run_id
     where m.parts + s.place > 100000;
  for followed in
    with numbered as (
      select s.*, m.parts + row_number() over (partition by s.run_id order by s.n) - 1 as position
        from unnest(run_ids, steps, items, attempts, bodies) with ordinality s(run_id, step, item, attempt, body, n)
        join run_metadata m on m.run_id = s.run_id
       where s.n = any (fresh)
    ), kept as (
      insert into stream_part (run_id, position, step, item, attempt, value, written_at)
      select p.run_id, p.position, p.step, p.item, p.attempt, p.body, millrace.now() from numbered p where p.position < 100000
    )
    update run_metadata m set parts = least(100000, g.parts)
      from (select p.run_id, max(p.position) + 1 as parts from numbered p group by p.run_id) g
     where m.run_id = g.run_id
    returning case when m.followed_until > millrace.now() then m.run_id end
  loop
    if followed is not null then
      perform pg_notify('millrace_part', followed::text);
    end if;
  end loop;
end $$;
comment on function millrace.keep_parts(uuid[], text[], int[], int[], text[], jsonb[], int[]) is 'Appends parts to the streams of runs; answers those that were too many.';
