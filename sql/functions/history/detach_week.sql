-- Takes one week out of the history, together with moving what stays of it to the default partitions. All of it is locked meanwhile, and nothing
-- else is done under these locks: what was taken out is emptied and dropped later, when nobody can come upon it any more. Locks are taken and
-- given up as create_partitions does; false where they could not be had.
create or replace function millrace.detach_week(week text, kept uuid[]) returns boolean
language plpgsql
set lock_timeout = '500ms' set enable_seqscan = off
as $$
declare
  week_tables text[] := array(select h.parent from unnest(history_tables()) with ordinality h(parent, n)
                               where to_regclass(format('millrace.%I', h.parent || '_' || week)) is not null
                               order by h.parent = 'event', h.parent = 'run', h.n);
  parent text;
  first_id uuid := uuid_floor(week_begins(week));
  next_id uuid := uuid_floor(week_begins(week) + interval '7 days');
  found_runs uuid[];
begin
  begin
    -- Only these: who is at another week comes through its table first, and is waited for there.
    execute format('lock table %s in access exclusive mode', (
      select string_agg(format('only millrace.%I', t.name), ', ' order by t.place, t.n)
        from (select h.parent as name, 1 as place, h.n from unnest(week_tables) with ordinality h(parent, n)
              union all select h.parent || '_' || p.part, p.place, h.n
                from unnest(week_tables) with ordinality h(parent, n) cross join (values ('default', 2), (week, 3)) p(part, place)) t));
    -- What was redriven or is to be told again meanwhile stays as well, with what it called.
    found_runs := array(select u.id from undecided_runs(first_id, next_id) u(id) where u.id <> all (kept));
    kept := kept || found_runs || array(
      select c.id from run c where c.parent_run_id = any (found_runs) and not c.detached and c.id >= first_id and c.id < next_id and c.id <> all (kept || found_runs));
    foreach parent in array week_tables loop
      execute format('alter table millrace.%I detach partition millrace.%I', parent, parent || '_' || week);
      execute format('comment on table millrace.%I is %L', parent || '_' || week, 'Was taken out of the history, and is to be dropped.');
    end loop;
  exception when lock_not_available then
    return false;
  end;
  foreach parent in array week_tables loop
    execute format('insert into millrace.%I select * from millrace.%I where %I = any ($1)', parent, parent || '_' || week,
      case parent when 'run' then 'id' else 'run_id' end) using kept;
  end loop;
  return true;
end $$;
comment on function millrace.detach_week(text, uuid[]) is 'Takes one week out of the history; false where its tables could not be locked.';
