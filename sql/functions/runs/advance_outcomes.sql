-- Of the runs given, those whose outcome is known and of which nothing is under way any more go on: the next step is undone, or the step that
-- follows the outcome begins, or the run ends. Called whenever the last task of such a run may have left.
--
-- The run's row is locked before its tasks are looked for: of two tasks that leave in two transactions at once, the second sees that nothing is
-- left. It is locked also while no outcome is known yet: one of the two may be about to bring it. New tasks come in the transaction in which the last one left, so who ends the run from outside still sees all of them (lock_run_tasks).
create or replace function millrace.advance_outcomes(run_ids uuid[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  ending run;
  next_id int;
begin
  for ending in
    select r.* from run r where r.id = any (run_ids) and r.finished_at is null order by r.id for update
  loop
    continue when ending.outcome is null;
    continue when exists (select from task t where t.run_id = ending.id) or exists (select from waiting_task w where w.run_id = ending.id);
    next_id := next_ending(ending);
    if next_id is not null then
      perform begin_ending(ending, next_id, at);
    else
      case ending.outcome
        when 'completed' then perform complete_runs(array[ending.id], array[run_output(ending.id, ending.slug, ending.version)], at);
        when 'failed' then perform bury_runs(array[ending.id], array[ending.outcome_step], array[ending.outcome_item], array[ending.outcome_error], at);
        else perform cancel_runs(array[ending.id], null, at);
      end case;
    end if;
  end loop;
end $$;
comment on function millrace.advance_outcomes(uuid[], timestamptz) is 'Goes on with what follows the outcome of runs, or ends them.';
