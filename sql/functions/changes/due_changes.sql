-- Whether changes are to be told, or rows that are there already, as due_triggers tells it.
create or replace function millrace.due_changes(at timestamptz)
returns table (kind text, due_ms int)
language sql stable
as $$
  (select 'change', ceil(greatest(0, extract(epoch from d.due_at - due_changes.at) * 1000))::int
     from (select greatest(w.look_at, c.at + make_interval(secs => coalesce((w.settings ->> 'coalesce_ms')::int, 0) / 1000.0)) as due_at
             from millrace.change_watch w
            cross join lateral (select g.at from millrace.change g where g.watch_id = w.id order by g.id limit 1) c
            where w.paused_at is null and w.retired_at is null) d
    where d.due_at <= due_changes.at + interval '1 s'
    order by d.due_at limit 1)
  union all
  (select 'backfill', 0 from millrace.change_backfill b where b.state = 'open' limit 1)
$$;
comment on function millrace.due_changes(timestamptz) is 'Whether changes are to be told, or rows that are there already.';
