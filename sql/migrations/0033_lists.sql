-- What lists read: runs by a state that few of them have, and dead letters by the time of their failure.

create table millrace.unsuccessful_run (
  run_id uuid primary key,
  slug text collate "C" not null references millrace.pipeline,
  state text not null check (state in ('failed', 'cancelled'))
);
comment on table millrace.unsuccessful_run is 'Runs that ended failed or cancelled, for lists by state: no index of the runs themselves names their state, so that its changes cost none. One that was redriven since may still stand here; its own row decides.';
create index unsuccessful_run_of_pipeline on millrace.unsuccessful_run (slug, state, run_id);
create index unsuccessful_run_of_state on millrace.unsuccessful_run (state, run_id);
alter table millrace.unsuccessful_run enable row level security;

-- By a trigger: a call that began before this migration ends with the function that it began with, and its runs are listed all the same.
create trigger listed after update of state on millrace.run
  for each row when (new.state in ('failed', 'cancelled') and new.state is distinct from old.state) execute function millrace.list_unsuccessful();

insert into millrace.unsuccessful_run (run_id, slug, state)
select r.id, r.slug, r.state from millrace.run r where r.state in ('failed', 'cancelled');

create index dead_letter_failed on millrace.dead_letter (failed_at, run_id);
