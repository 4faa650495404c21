-- Says how long webhooks take a version of a secret beside the one that comes after it; 0 seconds: no longer. True where there is this version.
create or replace function millrace.overlap_secret(name text, version int, seconds int) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
declare
  at timestamptz := millrace.now();
begin
  if (overlap_secret.seconds between 0 and 31536000) is not true then
    perform refuse_argument('seconds', 'from 0 to 31,536,000', overlap_secret.seconds::text);
  end if;
  update secret_version v set valid_until = at + make_interval(secs => overlap_secret.seconds)
   where v.name = overlap_secret.name and v.version = overlap_secret.version;
  if not found then
    return false;
  end if;
  perform write_audit('secret.overlapped', 'secret', overlap_secret.name, jsonb_build_object('version', overlap_secret.version, 'seconds', overlap_secret.seconds));
  return true;
end $$;
comment on function millrace.overlap_secret(text, int, int) is 'Says how long webhooks take a version of a secret beside the one that comes after it.';
