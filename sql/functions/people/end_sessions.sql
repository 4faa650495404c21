-- Ends all sessions of somebody, but one if it is named. Answers how many.
create or replace function millrace.end_sessions(person_id uuid, kept_session uuid default null) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_person person := take_person(end_sessions.person_id);
  ended int;
begin
  delete from person_session s where s.person_id = found_person.id and s.id is distinct from end_sessions.kept_session;
  get diagnostics ended = row_count;
  return ended;
end $$;
comment on function millrace.end_sessions(uuid, uuid) is 'Ends all sessions of somebody, but one if it is named.';
