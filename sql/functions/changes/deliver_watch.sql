-- Tells the next batch of a watch, whose row is locked. A start that raises, or waits for what an open transaction holds, holds up none but its own key.
-- Answers how many changes or runs it dealt with.
create or replace function millrace.deliver_watch(watched millrace.change_watch, most int, at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  batch record;
  one jsonb;
  done int;
  passed_keys jsonb[] := array[]::jsonb[];
  waiting int := 0;
begin
  select n.* into batch from next_changes(watched, most, at) n;
  done := cardinality(batch.dropped);
  if done > 0 then
    delete from change c where c.watch_id = watched.id and c.id = any (batch.dropped);
    update change_watch w set changes_dropped = w.changes_dropped + done where w.id = watched.id;
  end if;
  if batch.looped_to is not null then
    done := done + cut_loops(watched, batch.looped_to, at);
  end if;
  if batch.gathered is not null then
    begin
      done := done + start_change_runs(watched, batch.gathered, at);
    exception when others then
      if sqlstate in ('40001', '40P01', '57014') then
        raise;
      end if;
      -- All together have waited for long enough for what somebody holds: for each alone a moment will do.
      perform set_config('lock_timeout', '50ms', true);
      for one in select e from jsonb_array_elements(batch.gathered) e loop
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
  if done = 0 and batch.gathered is null then
    done := hold_live_keys(watched, batch.up_to, at);
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
