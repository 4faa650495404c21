-- Moves tasks whose time has come to where claims look, at most so many a call. All of them together; where that fails by one of them, each goes alone,
-- and the one that can't is tried again a minute later: every heartbeat of every worker comes through here. Approvals that it is time to remind of are
-- told in the history.
create or replace function millrace.promote_tasks(most int) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  due bigint[] := array(
    select w.id from waiting_task w where not w.paused and w.available_at <= at
     order by w.available_at, w.id limit most for update skip locked);
  alone bigint;
  promoted int := 0;
begin
  if due <> '{}' then
    begin
      promoted := promote_due(due, at);
    exception when others then
      if is_passing_fault(sqlstate) then
        raise;
      end if;
      foreach alone in array due loop
        begin
          promoted := promoted + promote_due(array[alone], at);
        exception when others then
          if is_passing_fault(sqlstate) then
            raise;
          end if;
          perform tell_set_aside((select format('A waiting task of run %s', w.run_id) from waiting_task w where w.id = alone), sqlstate, sqlerrm);
          update waiting_task w set available_at = at + interval '1 minute' where w.id = alone;
        end;
      end loop;
    end;
  end if;
  if promoted > 0 then
    perform wake_workers(false);
  end if;
  if exists (select from approval a where a.state = 'open' and a.reminded_at is null and a.remind_at <= at) then
    perform remind_approvals(at);
  end if;
  return promoted;
end $$;
comment on function millrace.promote_tasks(int) is 'Moves tasks whose time has come to where claims look; answers how many.';
