-- Brings the oldest week beyond its retention one bounded step further: taken out of the history, cleared batch by batch, dropped. Each is a
-- transaction, so one that is cancelled costs no more than itself, and how far a week has come shows in the catalog. Answers what was done, null
-- where there was nothing to do or a lock could not be had, and 'full' where more stays of a week than can be moved at once: what has ended is
-- deleted from it then.
create or replace function millrace.prune_weeks(keep_from timestamptz, batch int) returns text
language plpgsql
as $$
declare
  week text;
  kept uuid[];
  is_full boolean := false;
begin
  week := (weeks_of_runs(false))[1];
  if week is not null then
    if clear_week(week, batch * 10) then
      return 'cleared';
    end if;
    perform drop_week(week);
    return 'dropped';
  end if;
  foreach week in array weeks_of_runs(true) loop
    -- In doubt it stays.
    exit when (week_begins(week) + interval '7 days' < keep_from) is not true;
    kept := kept_runs(week, batch * 10);
    if kept is null then
      is_full := true;
    elsif detach_week(week, kept) then
      return 'detached';
    else
      exit;
    end if;
  end loop;
  return case when is_full then 'full' end;
exception when lock_not_available then
  return null;
end $$;
comment on function millrace.prune_weeks(timestamptz, int) is 'Brings the oldest week beyond its retention one bounded step further; answers which.';
