-- The watches, or the one of a name: what each says, what is wrong with its capture, and how far behind it is. At most 100,000 changes are counted.
create or replace function millrace.list_watches(only_name text default null)
returns table (name text, pipeline text, relation text, tenant text, settings jsonb, source text, revision int, changed_at timestamptz, changed_by text,
               paused_at timestamptz, retired_at timestamptz, installed_at timestamptz, installed_by text, problems text[], waiting int, oldest_at timestamptz,
               held int, held_reason text, runs_started bigint, changes_told bigint, changes_dropped bigint, loops_cut bigint, last_cut jsonb, gaps int, last_gap text,
               backfills jsonb)
language sql stable security definer set search_path = millrace, pg_temp
as $$
  select w.name, w.slug, format('%s.%s', w.table_schema, w.table_name), w.tenant, w.settings, w.source, w.revision, w.changed_at, w.changed_by,
         w.paused_at, w.retired_at, w.installed_at, w.installed_by, watch_problems(w), c.waiting, c.oldest_at, c.held, c.held_reason,
         w.runs_started, w.changes_told, w.changes_dropped, w.loops_cut, w.last_cut, g.gaps, g.last_gap,
         (select coalesce(jsonb_agg(jsonb_build_object('id', b.id, 'condition', b.condition, 'state', b.state, 'expected', b.rows_expected, 'done', b.rows_done, 'error', b.error) order by b.id desc), '[]')
            from (select * from change_backfill b where b.watch_id = w.id order by b.id desc limit 10) b)
    from change_watch w
   cross join lateral (
     select count(*)::int as waiting, min(c.at) as oldest_at, count(*) filter (where c.held_until is not null)::int as held, max(c.held_reason) as held_reason
       from (select c.at, c.held_until, c.held_reason from change c where c.watch_id = any (array[w.id]) order by c.id limit 100000) c) c
   cross join lateral (select count(*)::int as gaps, (array_agg(g.message order by g.at desc))[1] as last_gap
                         from (select * from change_gap g where g.watch_id = w.id order by g.at desc limit 1000) g) g
   where only_name is null or w.name = only_name
   order by w.name
   limit 1000
$$;
comment on function millrace.list_watches(text) is 'The watches: what each says, what is wrong with its capture, and how far behind it is.';
