-- Tells a batch of the oldest backfill that has room: while many changes of its watch wait to be told, it waits as well. Any worker may call it; one
-- at a time works on each. Where somebody writes one of its rows for longer, or the server lacks something that comes back by itself, it is the next one's turn, after four such at most;
-- what was lacking is raised where nothing was told. Answers how many rows it told, and whether there is more to do at once.
create or replace function millrace.work_backfills(most int default 500)
returns table (done int, more boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  candidate int;
  asked change_backfill;
  answer jsonb;
  told int;
  held_up int := 0;
  lacking text;
  reason text;
begin
  perform refuse_copied_database();
  if (most between 1 and 3000) is not true then
    perform refuse_argument('most', 'from 1 to 3,000', most::text);
  end if;
  done := 0;
  -- Locked one at a time: a loop over locked rows would take ten at once from the others.
  for candidate in
    select b.id from change_backfill b
     where b.state = 'open'
       and (select count(*) from (select from change c where c.watch_id = b.watch_id order by c.id limit 5000) c) < 5000
     order by b.id
  loop
    select b.* into asked from change_backfill b where b.id = candidate and b.state = 'open' for update skip locked;
    continue when not found;
    begin
      execute format('select millrace.backfill_%s_%s($1, $2)', asked.watch_id, asked.id) into answer using asked.last_key, most;
      told := (answer ->> 'done')::int;
      done := told;
      update change_backfill b
         set rows_done = b.rows_done + told, last_key = coalesce(nullif(answer -> 'last', 'null'), b.last_key),
             state = case when told < most then 'done' else 'open' end, finished_at = case when told < most then millrace.now() end
       where b.id = asked.id;
    exception when others then
      if left(sqlstate, 2) in ('40', '57') then
        raise;
      end if;
      if is_passing_fault(sqlstate) then
        if sqlstate <> '55P03' then
          lacking := sqlstate;
          reason := sqlerrm;
        end if;
        -- Each costs what it waited for, so not all of many are tried.
        held_up := held_up + 1;
        exit when held_up = 4;
        continue;
      end if;
      update change_backfill b set state = 'failed', error = left(sqlerrm, 500), finished_at = millrace.now() where b.id = asked.id;
    end;
    exit;
  end loop;
  if done = 0 and lacking is not null then
    raise exception using errcode = lacking, message = reason;
  end if;
  more := done = most;
  return next;
end $$;
comment on function millrace.work_backfills(int) is 'Tells a batch of rows that are there already.';
