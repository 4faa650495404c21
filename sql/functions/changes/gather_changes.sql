-- The runs that a batch of changes asks for, in the order of their last change: a change each, or those of one key together. Together they tell the
-- first old and the last new; a row that came and went is nothing. What waits is left: a key that was refused until its time, one whose time for
-- gathering is not over (what was emptied since ends it), and, where runs of a key come one after the other, one of which a run is live: any of those that
-- were not seen ended when the next one began, since the ids of runs are made by several clocks, and none says which is the last.
create or replace function millrace.gather_changes(watched millrace.change_watch, up_to bigint, at timestamptz)
returns table (ids bigint[], operation text, tenant text, key jsonb, old jsonb, new jsonb, left_out jsonb, changed_at timestamptz, transaction xid8, origin text)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  by_key boolean := coalesce(watched.settings ->> 'by_key' = 'true', false);
  by_time boolean := watched.settings ? 'coalesce_ms';
  recorded_by timestamptz := at - make_interval(secs => coalesce((watched.settings ->> 'coalesce_ms')::int, 0) / 1000.0);
  held jsonb := held_places(watched.id, at);
begin
  -- In this language, so that a session plans it once; and without a join of the changes with each other, which a plan that was made for a few would go
  -- through for each with each.
  return query
  with placed as (
    select w.*, min(w.id) over place as first_id, min(w.at) over place as first_at,
           max(w.id) filter (where w.operation = 'truncate' and w.at <= recorded_by) over () as emptied_id
      from (select c.*, md5(jsonb_build_array(c.tenant, c.key)::text) collate "C" as place from change c
             where c.watch_id = watched.id and c.id <= up_to and (c.held_until is null or c.held_until <= gather_changes.at)
               and not waits_behind(held, c.tenant, c.key, c.id)) w
    window place as (partition by w.place)
  ), due as (
    select p.*, by_key and p.id = p.first_id and exists (
             select from (select r.run_id from change_run r where r.watch_id = watched.id and r.ordered_key = p.place order by r.run_id desc limit 100) l
               join run r on r.id = any (array[l.run_id]) where r.finished_at is null) as is_live
      from placed p
     where p.first_at <= recorded_by or p.first_id < p.emptied_id
  ), grouped as (
    select d.*, case when by_time then d.first_id when d.operation = 'truncate' then min(d.id) over (partition by d.operation, d.transaction) else d.id end as group_id
      from (select e.*, bool_or(e.is_live) over (partition by e.place) as waits from due e) d
     where not d.waits and (not by_key or by_time or d.id = d.first_id)
  ), told as (
    select array_agg(g.id order by g.id) as ids, (array_agg(g.operation order by g.id))[1] as first_operation, (array_agg(g.operation order by g.id desc))[1] as last_operation,
           (array_agg(g.tenant))[1] as tenant, (array_agg(g.key))[1] as key, array_agg(g.old order by g.id) as olds, array_agg(g.new order by g.id) as news,
           (array_agg(g.left_out order by g.id desc))[1] as left_out, max(g.at) as changed_at, (array_agg(g.transaction order by g.id desc))[1] as transaction,
           (array_agg(g.origin order by g.id desc) filter (where g.origin is not null))[1] as origin
      from grouped g group by g.group_id
  )
  select t.ids,
         case when t.first_operation = 'insert' and t.last_operation = 'delete' then 'nothing'
              when t.last_operation in ('delete', 'truncate', 'backfill') then t.last_operation
              when t.first_operation = 'insert' then 'insert'
              when cardinality(t.ids) = 1 then t.last_operation else case when t.first_operation = 'backfill' then 'backfill' else 'update' end end,
         t.tenant, t.key,
         case when t.last_operation = 'truncate' then (select jsonb_agg(distinct n) from unnest(t.olds) o cross join jsonb_array_elements(o) n)
              -- A backfill tells no old one: that of a row which is deleted after it is what later ones tell.
              when cardinality(t.ids) = 1 or t.olds[1] is null and t.last_operation <> 'delete' then t.olds[1]
              -- What an earlier one left out as unchanged, a later one may tell.
              else (select jsonb_object_agg(e.key, e.value order by o.n desc) from unnest(t.olds) with ordinality o(part, n) cross join jsonb_each(o.part) e) end,
         case when cardinality(t.ids) = 1 or t.news[cardinality(t.ids)] is null then t.news[cardinality(t.ids)]
              else (select jsonb_object_agg(e.key, e.value order by o.n) from unnest(t.news) with ordinality o(part, n) cross join jsonb_each(o.part) e
                     where coalesce(t.left_out ->> e.key, '') <> 'too large') end,
         case when cardinality(t.ids) = 1 then t.left_out
              else (select jsonb_object_agg(e.key, e.value) from jsonb_each(t.left_out) e
                     where e.value <> '"unchanged"' or not exists (select from unnest(t.news) o(part) where o.part ? e.key)) end,
         t.changed_at, t.transaction, t.origin
    from told t
   order by t.ids[cardinality(t.ids)];
end $$;
comment on function millrace.gather_changes(millrace.change_watch, bigint, timestamptz) is 'The runs that a batch of changes asks for.';
