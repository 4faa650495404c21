-- Ends one session of somebody. False where there is none of theirs under this id.
create or replace function millrace.end_session(person_id uuid, session_id uuid) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  delete from person_session s where s.id = end_session.session_id and s.person_id = end_session.person_id;
  return found;
end $$;
comment on function millrace.end_session(uuid, uuid) is 'Ends one session of somebody.';
