-- The hash of somebody's password, in the place of the one before.
create or replace function millrace.write_password(person_id uuid, password text, account_id uuid, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  insert into millrace.person_account (id, person_id, provider, account, password, created_at, updated_at)
  values (write_password.account_id, write_password.person_id, 'credential', write_password.person_id::text, write_password.password, write_password.at, write_password.at)
      on conflict (person_id, provider) do update set password = excluded.password, updated_at = excluded.updated_at;
end $$;
comment on function millrace.write_password(uuid, text, uuid, timestamptz) is 'The hash of somebody''s password, in the place of the one before.';
