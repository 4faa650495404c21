-- Changes what somebody is called, may do and may see; null leaves it. Answers the revision, which stays where nothing changes. A link that somebody else got
-- for them is void where they may do more from now on: who got it might not have got it for what they are now.
create or replace function millrace.change_person(
  person_id uuid, name text default null, role text default null, payloads boolean default null, expected_revision int default null)
returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_person person := take_person(change_person.person_id, change_person.expected_revision);
  answer int;
begin
  if found_person.role = 'admin' and change_person.role <> 'admin' and found_person.disabled_at is null then
    perform keep_admin(found_person.id);
  end if;
  update person p
     set name = coalesce(change_person.name, p.name), role = coalesce(change_person.role, p.role),
         payloads = coalesce(change_person.payloads, p.payloads), revision = p.revision + 1, updated_at = millrace.now()
   where p.id = found_person.id
     and (p.name, p.role, p.payloads) is distinct from
         (coalesce(change_person.name, p.name), coalesce(change_person.role, p.role), coalesce(change_person.payloads, p.payloads))
  returning p.revision into answer;
  if change_person.payloads and not found_person.payloads or lower_role(found_person.role, change_person.role) <> change_person.role then
    delete from person_link l where l.person_id = found_person.id and l.created_by <> actor();
  end if;
  return coalesce(answer, found_person.revision);
end $$;
comment on function millrace.change_person(uuid, text, text, boolean, int) is 'Changes what somebody is called, may do and may see.';
