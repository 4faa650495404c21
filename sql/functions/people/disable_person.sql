-- From now on they can't sign in: their sessions end and their link is void. False where it was so already.
create or replace function millrace.disable_person(person_id uuid, expected_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  found_person person := take_person(disable_person.person_id, disable_person.expected_revision);
begin
  if found_person.disabled_at is not null then
    return false;
  end if;
  if found_person.role = 'admin' then
    perform keep_admin(found_person.id);
  end if;
  update person p set disabled_at = at, disabled_by = actor(), revision = p.revision + 1, updated_at = at where p.id = found_person.id;
  delete from person_session s where s.person_id = found_person.id;
  delete from person_link l where l.person_id = found_person.id;
  return true;
end $$;
comment on function millrace.disable_person(uuid, int) is 'From now on they can''t sign in, and their sessions end.';
