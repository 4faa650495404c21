-- Writes the next version of a secret, or its first: where its value lies, and, where that is our own table, the value, encrypted for this very
-- version. Whoever wrote it in between wins: then the version is taken, and the value, which belongs to a version, is encrypted anew.
create or replace function millrace.write_secret(
  name text, source text, reference text, version int, value jsonb default null, max_age_seconds bigint default null)
returns timestamptz
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  recently timestamptz := at - interval '10 seconds';
begin
  if (write_secret.name ~ '^[A-Za-z][A-Za-z0-9_./-]{0,199}$') is not true then
    perform refuse_argument('name', 'a letter, then letters, digits and _ . / -, at most 200', quote_literal(write_secret.name));
  end if;
  if (write_secret.source in ('table', 'environment', 'aws')) is not true then
    perform refuse_argument('source', '''table'', ''environment'' or ''aws''', quote_literal(write_secret.source));
  end if;
  if (write_secret.source = 'table') <> (write_secret.value is not null) or (write_secret.source = 'table') <> (write_secret.reference is null) then
    perform refuse_argument('value', 'given where the source is ''table'', and the reference where it is not', 'that');
  end if;
  if write_secret.value is not null and not (is_sealed(write_secret.value) and write_secret.value <> 'null') then
    perform refuse_argument('value', 'encrypted', 'in the clear');
  end if;
  if write_secret.version = 1 then
    insert into secret (name, source, reference, version, max_age_seconds, changed_at, created_at, created_by)
    values (write_secret.name, write_secret.source, write_secret.reference, 1, write_secret.max_age_seconds, at, at, actor())
        on conflict (name) do nothing;
  else
    update secret s
       set source = write_secret.source, reference = write_secret.reference, version = write_secret.version, changed_at = at,
           max_age_seconds = coalesce(write_secret.max_age_seconds, s.max_age_seconds)
     where s.name = write_secret.name and s.version = write_secret.version - 1;
  end if;
  if not found then
    raise exception 'Version % of secret ''%'' is not the one that comes next.', write_secret.version, write_secret.name
      using errcode = 'MR051', hint = 'Somebody else changed it: read its version, and write again.';
  end if;
  if write_secret.value is not null then
    insert into secret_version (name, version, value, created_at, created_by)
    values (write_secret.name, write_secret.version, write_secret.value, at, actor());
  end if;
  -- The former one counts beside it only where that was asked for with this one: not long ago, since a client of an earlier release asks in a call before.
  update secret_version v set valid_until = null
   where v.name = write_secret.name and v.version = write_secret.version - 1 and v.valid_until > at
     and not exists (select from audit_entry a
                      where a.subject_kind = 'secret' and a.subject = v.name and a.action = 'secret.overlapped'
                        and (a.detail ->> 'version')::int = v.version and a.at > recently);
  -- The last ten stay, for what is still at work with one of them.
  delete from secret_version v where v.name = write_secret.name and v.version <= write_secret.version - 10;
  return at;
end $$;
comment on function millrace.write_secret(text, text, text, int, jsonb, bigint) is 'Writes the next version of a secret.';
