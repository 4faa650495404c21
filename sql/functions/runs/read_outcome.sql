-- What a run will end as, for the steps that follow that: with its error, where it failed.
create or replace function millrace.read_outcome(run_id uuid) returns table (outcome text, error jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  return query select r.outcome, r.outcome_error - 'stack' from run r where r.id = read_outcome.run_id;
end $$;
comment on function millrace.read_outcome(uuid) is 'What a run will end as, and its error.';
