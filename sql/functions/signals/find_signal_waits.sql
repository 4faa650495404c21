-- The open waits that a signal fits, the oldest first: of one run, or of all.
create or replace function millrace.find_signal_waits(name text, run_id uuid, payload jsonb, take text, most int) returns setof bigint
language plpgsql stable
as $$
#variable_conflict use_column
begin
  if find_signal_waits.run_id is not null then
    return query
      select w.id from wait_signal n join wait w on w.id = any (array[n.wait_id])
       where n.run_id = find_signal_waits.run_id and n.name = find_signal_waits.name and n.take = find_signal_waits.take
         and (w.signal_match is null or coalesce(find_signal_waits.payload, 'null') @> w.signal_match)
       order by n.wait_id limit most;
  else
    return query
      select w.id from wait_signal n join wait w on w.id = any (array[n.wait_id])
       where n.name = find_signal_waits.name and n.take = find_signal_waits.take
         and (w.signal_match is null or coalesce(find_signal_waits.payload, 'null') @> w.signal_match)
       order by n.wait_id limit most;
  end if;
end $$;
comment on function millrace.find_signal_waits(text, uuid, jsonb, text, int) is 'The open waits that a signal fits, the oldest first.';
