-- What each sweep does for all, beside judging who is gone: it carries out what was left to it, and lets nobody wait for ever. Nothing of this asks
-- who is alive, so whoever heartbeats does it, also who has just connected; but for runs that are reported from outside, of which only who has been
-- connected for a lease can say that nothing was heard (`hears`). Each part by itself: what one of them comes upon keeps none of the others from its work.
create or replace function millrace.look_after_all(at timestamptz, hears boolean) returns void
language plpgsql
as $$
begin
  for part in 1 .. 6 loop
    continue when part = 1 and not hears;
    begin
      case part
        when 1 then perform fail_silent_runs(at);
        when 2 then perform carry_out_cancellations(1000, at);
        when 3 then perform begin_held_starts(at);
        when 4 then perform look_after_turns();
        when 5 then perform age_tasks(at);
        else perform call_left_waiters(at);
      end case;
    exception
      when lock_not_available or deadlock_detected then
        null;
      when others then
        if is_passing_fault(sqlstate) then
          raise;
        end if;
        perform tell_set_aside(format('Part %s of a sweep', part), sqlstate, sqlerrm);
    end;
  end loop;
end $$;
comment on function millrace.look_after_all(timestamptz, boolean) is 'Carries out what was left to the next sweep.';
