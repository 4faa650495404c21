-- Where a whole batch waits for runs of its keys that are live, it steps aside for what comes after it: the first change of each key is put off, behind
-- which the others wait. Answers how many these are.
create or replace function millrace.hold_live_keys(watched millrace.change_watch, up_to bigint, at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  held jsonb := held_places(watched.id, at);
  n int;
begin
  if not exists (select from change c where c.watch_id = watched.id and c.id > up_to and c.held_until is null) then
    return 0;
  end if;
  update change c set held_until = hold_live_keys.at + interval '5 s', held_reason = 'the run of an earlier change of its key is live'
   where c.watch_id = watched.id and c.id = any (array(
     select min(f.id) from change f
      where f.watch_id = watched.id and f.id <= up_to and (f.held_until is null or f.held_until <= hold_live_keys.at) and not waits_behind(held, f.tenant, f.key, f.id)
        and f.at <= hold_live_keys.at - make_interval(secs => coalesce((watched.settings ->> 'coalesce_ms')::int, 0) / 1000.0)
      group by f.tenant, f.key));
  get diagnostics n = row_count;
  return n;
end $$;
comment on function millrace.hold_live_keys(millrace.change_watch, bigint, timestamptz) is 'Puts off the first change of each key whose run is live.';
