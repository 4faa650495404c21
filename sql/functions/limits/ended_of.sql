-- How many tasks that held a slot of a limit have ended, by its seats.
create or replace function millrace.ended_of(state_id bigint) returns bigint
language sql stable
as $$
  select coalesce(sum(e.ended), 0)::bigint from millrace.limit_end e where e.state_id = ended_of.state_id
$$;
comment on function millrace.ended_of(bigint) is 'How many tasks that held a slot of a limit have ended, by its seats.';
