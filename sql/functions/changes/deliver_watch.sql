-- Tells the next batch of a watch, whose row is locked. A start that raises, or waits for what an open transaction holds, holds up none but its own key.
-- Answers how many changes or runs it dealt with.
create or replace function millrace.deliver_watch(watched millrace.change_watch, most int, at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  gathers boolean := watched.settings ? 'coalesce_ms' or coalesce(watched.settings ->> 'by_key' = 'true', false);
  up_to bigint := case when gathers then (select max(c.id) from (select c.id from change c where c.watch_id = watched.id and (c.held_until is null or c.held_until <= deliver_watch.at) order by c.id limit 20000) c)
                       else end_of_batch(watched.id, most, at) end;
  gathered jsonb;
  one jsonb;
  done int;
  nothing bigint[];
  dropped int;
  passed_keys jsonb[] := array[]::jsonb[];
  waiting int := 0;
begin
  -- Recorded for somebody else, before the watch was given to this tenant.
  delete from change c where c.watch_id = watched.id and c.id <= up_to and c.tenant is distinct from watched.tenant and watched.tenant is not null;
  get diagnostics dropped = row_count;
  if dropped > 0 then
    update change_watch w set changes_dropped = w.changes_dropped + dropped where w.id = watched.id;
  end if;
  done := dropped + cut_loops(watched, up_to, at);
  select jsonb_agg(jsonb_build_object('run_id', uuid_v7(at), 'ids', g.ids, 'tenant', coalesce(watched.tenant, g.tenant), 'transaction', g.transaction::text,
           'origin', l.origin, 'depth', coalesce(l.depth, 0),
           'place', case when watched.settings ->> 'by_key' = 'true' then md5(jsonb_build_array(g.tenant, g.key)::text) end,
           'change', jsonb_build_object('operation', g.operation, 'key', g.key, 'old', case when g.operation <> 'truncate' then g.old end, 'new', g.new,
                       'changes', cardinality(g.ids), 'watch', watched.name, 'table', format('%s.%s', watched.table_schema, watched.table_name),
                       'at', to_char(g.changed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
                     || case when g.left_out is null then '{}' else jsonb_build_object('leftOut', g.left_out) end
                     || case when g.operation = 'truncate' then jsonb_build_object('emptied', g.old) else '{}' end) order by g.n)
           filter (where g.operation <> 'nothing'),
         coalesce(string_to_array(string_agg(array_to_string(g.ids, ','), ',') filter (where g.operation = 'nothing'), ',')::bigint[], '{}')
    into gathered, nothing
    from (select g.*, row_number() over () as n from gather_changes(watched, up_to, at) g limit case when gathers then most end) g
    left join lateral (select r.id as origin, f.depth from run r cross join lateral find_loop(watched.id, g.tenant, g.key, r.id) f
                        where r.id = case when g.origin ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then g.origin::uuid end) l on true;
  if nothing <> '{}' then
    delete from change c where c.watch_id = watched.id and c.id = any (nothing);
    update change_watch w set changes_dropped = w.changes_dropped + cardinality(nothing) where w.id = watched.id;
    done := done + cardinality(nothing);
  end if;
  if gathered is not null then
    begin
      done := done + start_change_runs(watched, gathered, at);
    exception when others then
      if sqlstate in ('40001', '40P01', '57014') then
        raise;
      end if;
      -- All together have waited for long enough for what somebody holds: for each alone a moment will do.
      perform set_config('lock_timeout', '50ms', true);
      for one in select e from jsonb_array_elements(gathered) e loop
        continue when jsonb_build_array(one -> 'tenant', one #> '{change,key}') = any (passed_keys);
        begin
          done := done + start_change_runs(watched, jsonb_build_array(one), at);
        exception when others then
          if sqlstate in ('40001', '40P01', '57014') then
            raise;
          end if;
          passed_keys := array_append(passed_keys, jsonb_build_array(one -> 'tenant', one #> '{change,key}'));
          waiting := waiting + (sqlstate = '55P03')::int;
          -- The more of them wait for somebody, the longer they step aside for the others.
          update change c
             set held_until = deliver_watch.at + case sqlstate when '55P03' then interval '1 s' * waiting else interval '30 s' end,
                 held_reason = case sqlstate when '55P03' then 'an open transaction holds what its start needs' else left(sqlerrm, 500) end
           where c.watch_id = watched.id and c.id = any (array(select jsonb_array_elements_text(one -> 'ids')::bigint));
        end;
        exit when waiting >= 20;
      end loop;
    end;
  end if;
  if done = 0 and gathered is null and exists (select from change c where c.watch_id = watched.id and c.id > up_to and c.held_until is null) then
    -- A whole batch waits behind earlier changes of its keys: it steps aside for those after it.
    update change c set held_until = deliver_watch.at + interval '5 s', held_reason = coalesce(c.held_reason, 'waits behind an earlier change of its key')
     where c.watch_id = watched.id and c.id <= up_to and (c.held_until is null or c.held_until <= deliver_watch.at)
       and c.at <= deliver_watch.at - make_interval(secs => coalesce((watched.settings ->> 'coalesce_ms')::int, 0) / 1000.0);
    get diagnostics done = row_count;
  end if;
  -- What is left waits for something, but for what has come meanwhile: that is heard of.
  update change_watch w
     set served_at = at,
         look_at = case when done > 0 then null
                        else greatest(at + interval '250 ms', least(at + interval '500 ms', (
                          select min(c.at) + make_interval(secs => coalesce((watched.settings ->> 'coalesce_ms')::int, 0) / 1000.0)
                            from (select c.at from change c where c.watch_id = watched.id order by c.id limit 1) c))) end
   where w.id = watched.id;
  return done;
end $$;
comment on function millrace.deliver_watch(millrace.change_watch, int, timestamptz) is 'Tells the next batch of a watch.';
