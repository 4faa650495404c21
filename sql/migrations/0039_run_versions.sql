-- A start has looked up the version that its run names, and versions are never taken away (keep_versions). The foreign key looked each of them up again
-- and locked its row, run by run: a third of what a start in bulk cost the server. Whoever writes a run past start_runs is still asked (check_run_version).
alter table millrace.run drop constraint if exists run_slug_version_fkey;

-- A trigger needs its function to be there: it gets its body with all other functions, in this same transaction.
do $$
declare
  name text;
begin
  foreach name in array array['check_run_version', 'keep_versions'] loop
    execute format('create function %I.%I() returns trigger language plpgsql as %L', 'millrace', name, 'begin return null; end');
  end loop;
end $$;

create trigger of_version after insert on millrace.run
  for each row when (current_setting('millrace.versions', true) is distinct from 'found') execute function millrace.check_run_version();
create trigger moved_version after update of slug, version on millrace.run
  for each row execute function millrace.check_run_version();
create trigger kept before delete or update of slug, version on millrace.pipeline_version
  for each row execute function millrace.keep_versions();
create trigger kept_whole before truncate on millrace.pipeline_version
  for each statement execute function millrace.keep_versions();
