-- Keeps the public half of a pair with which a server signs tokens, so that every other server takes them as well.
create or replace function millrace.publish_token_key(id uuid, public_key jsonb, lives_seconds int) returns timestamptz
language plpgsql security definer set search_path = millrace, pg_temp
as $$
declare
  at timestamptz := millrace.now();
  ends_at timestamptz := at + make_interval(secs => least(greatest(publish_token_key.lives_seconds, 1), 172800));
begin
  insert into token_key (id, public_key, created_at, expires_at) values (publish_token_key.id, publish_token_key.public_key, at, ends_at);
  return ends_at;
end $$;
comment on function millrace.publish_token_key(uuid, jsonb, int) is 'Keeps the public half of a pair with which a server signs tokens.';
