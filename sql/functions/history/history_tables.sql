-- The tables of the history that have a partition a week, by the time in the run's id. The runs come first, and are deleted last.
create or replace function millrace.history_tables() returns text[]
language sql immutable parallel safe
as $$
  select array['run', 'attempt', 'event', 'checkpoint', 'run_metadata', 'step_progress', 'run_metric', 'stream_part', 'artifact', 'artifact_chunk']
$$;
comment on function millrace.history_tables() is 'The tables of the history that are partitioned by the time in the run''s id, the runs first.';
