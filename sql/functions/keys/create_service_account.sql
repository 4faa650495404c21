-- Makes a service account: its keys belong to no person, and may do at most what its role may.
create or replace function millrace.create_service_account(name text, role text, description text default '') returns timestamptz
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
begin
  if (create_service_account.name ~ '^[a-z][a-z0-9-]{0,62}$') is not true then
    perform refuse_argument('name', 'a letter, then letters, digits and hyphens, at most 63', 'that');
  end if;
  if (create_service_account.role in ('viewer', 'operator', 'admin')) is not true then
    perform refuse_argument('role', '''viewer'', ''operator'' or ''admin''', quote_literal(create_service_account.role));
  end if;
  insert into service_account (name, role, description, created_at, created_by)
  values (create_service_account.name, create_service_account.role, left(coalesce(create_service_account.description, ''), 500), at, actor())
      on conflict do nothing;
  if not found then
    raise exception 'There is a service account ''%'' already.', create_service_account.name
      using errcode = 'MR153', hint = 'Choose another name, or create a key for the one that there is.';
  end if;
  return at;
end $$;
comment on function millrace.create_service_account(text, text, text) is 'Makes a service account.';
