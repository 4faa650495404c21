-- The runs that a batch of changes asks for, in the order of their last change: a change each, or those of one key together. Together they tell the
-- first old and the last new; a row that came and went is nothing. What waits is left: a key that was refused until its time, one whose time for
-- gathering is not over (what was emptied since ends it), and, where runs of a key come one after the other, one of which a run is live: any of those that
-- were not seen ended when the next one began, since the ids of runs are made by several clocks, and none says which is the last.
create or replace function millrace.gather_changes(watched millrace.change_watch, up_to bigint, at timestamptz)
returns table (ids bigint[], operation text, tenant text, key jsonb, old jsonb, new jsonb, left_out jsonb, changed_at timestamptz, transaction xid8, origin text)
language plpgsql stable
as $$
#variable_conflict use_column
begin
  -- In this language, so that a session plans it once.
  return query
  with held as materialized (
    select md5(jsonb_build_array(c.tenant, c.key)::text) as place, min(c.id) as first_id
      from change c where c.watch_id = watched.id and c.held_until > gather_changes.at group by 1
  ), waiting as materialized (
    select c.* from (select g.*, md5(jsonb_build_array(g.tenant, g.key)::text) as place from change g
                      where g.watch_id = watched.id and g.id <= up_to and (g.held_until is null or g.held_until <= gather_changes.at)) c
      left join held h on h.place = c.place
     where h.first_id is null or c.id < h.first_id
  ), emptied as (
    select max(w.id) as id from waiting w where w.operation = 'truncate' and w.at <= gather_changes.at - make_interval(secs => coalesce((watched.settings ->> 'coalesce_ms')::int, 0) / 1000.0)
  ), due as (
    select w.place, min(w.id) as first_id from waiting w
     group by w.place
    having (min(w.at) <= gather_changes.at - make_interval(secs => coalesce((watched.settings ->> 'coalesce_ms')::int, 0) / 1000.0) or min(w.id) < (select e.id from emptied e))
       and not (coalesce(watched.settings ->> 'by_key' = 'true', false) and exists (
             select from (select r.run_id from change_run r where r.watch_id = watched.id and r.ordered_key = w.place order by r.run_id desc limit 100) l
               join run r on r.id = any (array[l.run_id]) where r.finished_at is null))
  ), grouped as (
    select w.*, case when watched.settings ? 'coalesce_ms' then d.first_id
                     when w.operation = 'truncate' then min(w.id) over (partition by w.operation, w.transaction) else w.id end as group_id
      from waiting w join due d on d.place = w.place
     where watched.settings ->> 'by_key' is distinct from 'true' or watched.settings ? 'coalesce_ms' or w.id = d.first_id
  ), told as (
    select array_agg(g.id order by g.id) as ids, (array_agg(g.operation order by g.id))[1] as first_operation, (array_agg(g.operation order by g.id desc))[1] as last_operation,
           (array_agg(g.tenant))[1] as tenant, (array_agg(g.key))[1] as key, group_id,
           (array_agg(g.old order by g.id))[1] as old, (array_agg(g.new order by g.id desc))[1] as new,
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
         case when t.last_operation = 'truncate' then (select jsonb_agg(distinct n) from grouped g cross join jsonb_array_elements(g.old) n where g.group_id = t.group_id)
              -- A backfill tells no old one: that of a row which is deleted after it is what later ones tell.
              when cardinality(t.ids) = 1 or t.old is null and t.last_operation <> 'delete' then t.old
              -- What an earlier one left out as unchanged, a later one may tell.
              else (select jsonb_object_agg(e.key, e.value order by g.id desc) from grouped g cross join jsonb_each(g.old) e
                     where g.group_id = t.group_id and jsonb_typeof(g.old) = 'object') end,
         case when cardinality(t.ids) = 1 or t.new is null then t.new
              else (select jsonb_object_agg(e.key, e.value order by g.id) from grouped g cross join jsonb_each(g.new) e
                     where g.group_id = t.group_id and jsonb_typeof(g.new) = 'object' and coalesce(t.left_out ->> e.key, '') <> 'too large') end,
         case when cardinality(t.ids) = 1 then t.left_out
              else (select jsonb_object_agg(e.key, e.value) from jsonb_each(t.left_out) e
                     where e.value <> '"unchanged"' or not exists (select from grouped g where g.group_id = t.group_id and jsonb_typeof(g.new) = 'object' and g.new ? e.key)) end,
         t.changed_at, t.transaction, t.origin
    from told t
   order by t.ids[cardinality(t.ids)];
end $$;
comment on function millrace.gather_changes(millrace.change_watch, bigint, timestamptz) is 'The runs that a batch of changes asks for.';
