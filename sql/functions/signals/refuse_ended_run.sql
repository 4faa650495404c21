-- Refuses what is meant for a run that is not there, or that has ended: nobody would ever read it.
create or replace function millrace.refuse_ended_run(run_id uuid) returns void
language plpgsql stable
as $$
#variable_conflict use_column
declare
  found_run record;
begin
  select r.state, r.finished_at into found_run from millrace.run r where r.id = refuse_ended_run.run_id;
  if not found then
    raise exception 'There is no run %.', refuse_ended_run.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  if found_run.finished_at is not null then
    raise exception 'Run % % on %.', refuse_ended_run.run_id, case found_run.state when 'cancelled' then 'was cancelled' else found_run.state end,
      millrace.tell_time(found_run.finished_at)
      using errcode = 'MR018', hint = 'Nothing of it waits any more.';
  end if;
end $$;
comment on function millrace.refuse_ended_run(uuid) is 'Refuses what is meant for a run that has ended.';
