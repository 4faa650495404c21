-- Makes an API key, and answers until when it is taken. Of the key itself only the digest comes here. Who may give which rights is decided by whoever
-- calls: no key has more than its maker. Its life is bounded by setting key_days_max, so that every key is replaced some day. Whose key it
-- is counts where it is one of our people: an application that has its own way of signing in looks after its own.
create or replace function millrace.create_api_key(
  id uuid, name text, prefix text, digest bytea, role text, scopes text[] default null, tenant text default null, pipelines text[] default null,
  payloads boolean default false, agent text default null, requests_per_hour int default null, service_account text default null,
  person text default null, lives_seconds bigint default null)
returns timestamptz
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  ends_at timestamptz := at + key_life(lives_seconds);
begin
  if (create_api_key.name ~ '^[^[:cntrl:]]{1,100}$') is not true then
    perform refuse_argument('name', '1 to 100 characters without control characters', 'that');
  end if;
  if (create_api_key.role in ('viewer', 'operator', 'admin')) is not true then
    perform refuse_argument('role', '''viewer'', ''operator'' or ''admin''', quote_literal(create_api_key.role));
  end if;
  if create_api_key.service_account is not null then
    perform from service_account a where a.name = create_api_key.service_account and a.disabled_at is null for share;
    if not found then
      raise exception 'There is no service account ''%'' that may have keys.', create_api_key.service_account
        using errcode = 'MR152', hint = 'Create it first, or enable it again: npx millrace service-account list shows which there are.';
    end if;
  end if;
  if exists (select from api_key k where k.id = create_api_key.id or k.prefix = create_api_key.prefix) then
    perform refuse_argument('prefix', 'one that no key has', quote_literal(create_api_key.prefix));
  end if;
  insert into api_key (id, name, prefix, digest, role, scopes, tenant, pipelines, payloads, agent, requests_per_hour, service_account, person_id,
                       created_at, created_by, expires_at)
  values (create_api_key.id, create_api_key.name, create_api_key.prefix, create_api_key.digest, create_api_key.role, create_api_key.scopes,
          create_api_key.tenant, create_api_key.pipelines, create_api_key.payloads, create_api_key.agent, create_api_key.requests_per_hour,
          create_api_key.service_account, (select p.id from person p where p.id::text = create_api_key.person), at, actor(), ends_at);
  return ends_at;
end $$;
comment on function millrace.create_api_key(uuid, text, text, bytea, text, text[], text, text[], boolean, text, int, text, text, bigint)
  is 'Makes an API key, and answers until when it is taken.';
