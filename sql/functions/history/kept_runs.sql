-- The runs of a week that stay when it is dropped: those that retention leaves alone, and what a run called and waited for that may still read how
-- it ended. Null where more rows than so many hang from them: they are moved while nobody gets at the history, so that may not be long. A chunk
-- of an artifact counts for a hundred.
create or replace function millrace.kept_runs(week text, rows_most int) returns uuid[]
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
  first_id uuid := uuid_floor(week_begins(week));
  next_id uuid := uuid_floor(week_begins(week) + interval '7 days');
  parent text;
  kept uuid[];
  n int;
  room int := rows_most;
begin
  kept := array(select u.id from millrace.undecided_runs(first_id, next_id) u(id) limit rows_most + 1);
  if cardinality(kept) > rows_most then
    return null;
  end if;
  kept := kept || array(
    select c.id
      from (select t.run_id from millrace.task t union select w.run_id from millrace.waiting_task w union select l.run_id from millrace.dead_letter l) p
      join millrace.run c on c.parent_run_id = any (array[p.run_id]) and not c.detached and c.id >= first_id and c.id < next_id
     where c.id <> all (kept)
     limit rows_most + 1);
  foreach parent in array history_tables() loop
    continue when to_regclass(format('millrace.%I', parent || '_' || week)) is null;
    execute format('select count(*) from (select from millrace.%I where %I = any ($1) limit $2 + 1) kept', parent || '_' || week, case parent when 'run' then 'id' else 'run_id' end)
      into n using kept, room;
    room := room - n * case parent when 'artifact_chunk' then 100 else 1 end;
    if room < 0 then
      return null;
    end if;
  end loop;
  return kept;
end $$;
comment on function millrace.kept_runs(text, int) is 'The runs of a week that stay when it is dropped; null where too much hangs from them to be moved at once.';
