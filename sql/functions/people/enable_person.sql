-- Lets somebody sign in again, as before. False where they could already.
create or replace function millrace.enable_person(person_id uuid, expected_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_person person := take_person(enable_person.person_id, enable_person.expected_revision);
begin
  update person p set disabled_at = null, disabled_by = null, revision = p.revision + 1, updated_at = millrace.now()
   where p.id = found_person.id and p.disabled_at is not null;
  return found;
end $$;
comment on function millrace.enable_person(uuid, int) is 'Lets somebody sign in again.';
