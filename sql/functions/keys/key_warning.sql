-- What is to be said of a key while it is taken: that it ends within two weeks, or that it is older than keys should become. Null: nothing.
create or replace function millrace.key_warning(k millrace.api_key, at timestamptz) returns text
language sql stable
as $$
  select case
    when k.revoked_at is not null or k.expires_at <= at then null
    when k.expires_at <= at + interval '14 days' then 'ends'
    when k.created_at <= at - make_interval(days => millrace.setting_number('key_days_warning')::int) then 'old'
    end
$$;
comment on function millrace.key_warning(millrace.api_key, timestamptz) is 'What is to be said of a key while it is taken.';
