-- The row of a person, locked until the change that follows is committed; refused where somebody has changed it since the revision that was seen.
create or replace function millrace.take_person(person_id uuid, expected_revision int default null) returns millrace.person
language plpgsql
as $$
#variable_conflict use_column
declare
  found_person millrace.person;
begin
  select p.* into found_person from millrace.person p where p.id = take_person.person_id for update;
  if not found then
    raise exception 'There is no person %.', take_person.person_id
      using errcode = 'MR155', hint = 'npx millrace user list shows who there is.', detail = jsonb_build_object('person', take_person.person_id)::text;
  end if;
  if found_person.revision <> take_person.expected_revision then
    raise exception '% was changed since: you saw revision %, and it is at %.', found_person.email, take_person.expected_revision, found_person.revision
      using errcode = 'MR030', hint = 'Look again, and decide anew: npx millrace user list',
            detail = jsonb_build_object('seen', take_person.expected_revision, 'revision', found_person.revision, 'role', found_person.role,
                       'payloads', found_person.payloads, 'disabled_at', found_person.disabled_at)::text;
  end if;
  return found_person;
end $$;
comment on function millrace.take_person(uuid, int) is 'The row of a person, locked, if it is at the revision that was seen.';
