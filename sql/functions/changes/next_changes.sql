-- The next batch of a watch: up to which change it goes, the runs that it asks for, what is dropped (a row that came and went, and what was recorded for
-- somebody else before the watch was given to its tenant), and up to which change there are some that close a loop, which are cut before they are gathered
-- again. In one statement, so that all of it sees the same transactions: one that commits meanwhile is told whole, with the next batch.
create or replace function millrace.next_changes(watched millrace.change_watch, most int, at timestamptz)
returns table (up_to bigint, gathered jsonb, dropped bigint[], looped_to bigint)
language plpgsql
as $$
#variable_conflict use_column
declare
  by_key boolean := coalesce(watched.settings ->> 'by_key' = 'true', false);
  gathers boolean := by_key or watched.settings ? 'coalesce_ms';
begin
  return query
  with batch as materialized (
    select case when gathers then end_of_gathering(watched.id, most, at) else end_of_batch(watched.id, most, at) end as up_to
  )
  select (select b.up_to from batch b),
         jsonb_agg(jsonb_build_object('run_id', uuid_v7(at), 'ids', j.ids, 'tenant', coalesce(watched.tenant, j.tenant), 'transaction', j.transaction::text,
           'origin', j.made_by, 'depth', case when j.made_by is null then 0 else j.depth end,
           'place', case when by_key then md5(jsonb_build_array(j.tenant, j.key)::text) end,
           'change', jsonb_build_object('operation', j.operation, 'key', j.key, 'old', case when j.operation <> 'truncate' then j.old end, 'new', j.new,
                       'changes', cardinality(j.ids), 'watch', watched.name, 'table', format('%s.%s', watched.table_schema, watched.table_name),
                       'at', to_char(j.changed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
                     || case when j.left_out is null then '{}' else jsonb_build_object('leftOut', j.left_out) end
                     || case when j.operation = 'truncate' then jsonb_build_object('emptied', j.old) else '{}' end) order by j.n)
           filter (where j.fate = 'told'),
         coalesce(string_to_array(string_agg(array_to_string(j.ids, ','), ',') filter (where j.fate = 'dropped'), ',')::bigint[], '{}'),
         max(j.ids[cardinality(j.ids)]) filter (where j.fate = 'looped')
    from (select a.*, l.run_id as made_by, l.depth,
                 case when watched.tenant is not null and a.tenant is distinct from watched.tenant then 'dropped'
                      when l.is_loop or cardinality(a.ids) > 1 and exists (
                        select from (select distinct c.origin from change c where c.watch_id = watched.id and c.id = any (a.ids) and c.origin <> a.origin) o
                         where (select f.is_loop from find_loop(watched.id, a.tenant, a.key, origin_run(o.origin)) f)) then 'looped'
                      when a.operation = 'nothing' then 'dropped' else 'told' end as fate
            from (select g.*, row_number() over () as n from batch b cross join lateral gather_changes(watched, b.up_to, at) g limit case when gathers then most end) a
            left join lateral (select r.id as run_id, f.depth, f.is_loop
                                 from find_loop(watched.id, a.tenant, a.key, origin_run(a.origin)) f left join run r on r.id = origin_run(a.origin)
                                where origin_run(a.origin) is not null) l on true
          offset 0) j;
end $$;
comment on function millrace.next_changes(millrace.change_watch, int, timestamptz) is 'The next batch of a watch, as one moment sees it.';
