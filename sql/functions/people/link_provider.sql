-- From now on somebody may sign in as whom the provider knows under this name: it says that their address is theirs. A provider that came in the place
-- of another one has names of its own, so that those of the one before are void; of one and the same provider somebody has one name.
create or replace function millrace.link_provider(account_id uuid, person_id uuid, account text) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  found_person person := take_person(link_provider.person_id);
begin
  delete from person_account a
   where a.person_id = found_person.id and a.provider = 'oidc' and split_part(a.account, ' ', 1) <> split_part(link_provider.account, ' ', 1);
  insert into person_account (id, person_id, provider, account, created_at, updated_at)
  values (link_provider.account_id, found_person.id, 'oidc', link_provider.account, at, at);
  update person p set email_verified = true, updated_at = at where p.id = found_person.id;
end $$;
comment on function millrace.link_provider(uuid, uuid, text) is 'Lets somebody sign in as whom the provider knows under a name.';
