-- Gives firings that have just begun the place of those of their schedules that had begun before. Their runs begin once these have ended: they are cancelled
-- by the next sweep, so that nobody here waits for who has them at hand. What begins together comes all at once, so that none takes the place of another.
create or replace function millrace.replace_started(firing_ids bigint[], replacing bigint[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  replaced record;
  held uuid[] := array[]::uuid[];
begin
  for replaced in
    select o.run_id as other, n.run_id as newcomer, n.begins_at, s.name
      from firing n join schedule s on s.id = n.schedule_id
      join firing o on o.schedule_id = n.schedule_id and o.state = 'started' and o.kind <> 'backfill' and o.id <> all (firing_ids) and o.run_id <> n.run_id
     where n.id = any (firing_ids) and n.schedule_id = any (replacing) and n.state = 'started' and n.kind <> 'backfill'
     order by o.run_id
  loop
    held := held || replaced.newcomer;
    perform take_place(replaced.newcomer, replaced.other, format('overlap of schedule %s', replaced.name), replaced.begins_at, replace_started.at);
  end loop;
  perform hold_starts(held);
end $$;
comment on function millrace.replace_started(bigint[], bigint[], timestamptz) is 'Gives firings that have just begun the place of those of their schedules that had begun before.';
