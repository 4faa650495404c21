-- A change that was decided on a look at an older version of a secret is refused with the one that there is now. The secret stays locked, so whoever
-- asks before a change in the same transaction changes what they saw.
create or replace function millrace.refuse_secret_version(name text, expected_version int) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  standing int;
begin
  select s.version into standing from secret s where s.name = refuse_secret_version.name for update;
  if coalesce(standing, 0) <> expected_version then
    raise exception 'Secret ''%'' was changed since: you saw its version %, and it is at %.', refuse_secret_version.name, expected_version, coalesce(standing, 0)
      using errcode = 'MR030', hint = 'Look at it again, and decide anew.',
            detail = jsonb_build_object('secret', refuse_secret_version.name, 'seen', expected_version, 'revision', coalesce(standing, 0))::text;
  end if;
end $$;
comment on function millrace.refuse_secret_version(text, int) is 'Refuses a change that was decided on an older version of a secret.';
