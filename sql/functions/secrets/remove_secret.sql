-- Removes a secret with all its versions; who has read it stays on record. True where there was one.
create or replace function millrace.remove_secret(name text) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  delete from secret s where s.name = remove_secret.name;
  return found;
end $$;
comment on function millrace.remove_secret(text) is 'Removes a secret with all its versions.';
