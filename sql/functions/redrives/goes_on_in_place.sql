-- Whether redriving a run gives it fresh attempts where it failed, and not a run in its place: from the failed step, with the version and the
-- input that it has.
create or replace function millrace.goes_on_in_place(restart text, is_edited boolean, version text, run_version int, active_version int) returns boolean
language sql immutable
as $$
  select restart = 'failed' and not is_edited and (version = 'original' or run_version = active_version)
$$;
comment on function millrace.goes_on_in_place(text, boolean, text, int, int) is 'Whether redriving a run gives it fresh attempts where it failed.';
