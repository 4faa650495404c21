-- The numbers among the settings: what stands there, and the number that counts. What is no whole number within its bounds is nobody's clear word:
-- then the number counts with which an installation begins, and so it does where there is none. But of retention_days nothing counts then, because
-- what is dropped by a number that nobody gave is gone for good.
create or replace function millrace.number_settings()
returns table (name text, written text, lowest bigint, highest bigint, number bigint, is_clear boolean)
language sql stable
as $$
  select k.name, s.value::text, k.lowest, k.highest, coalesce(r.number, k.initial),
         r.number is not null or (coalesce(s.value, 'null') = 'null' and k.initial is not null)
    from (values
      ('retention_days', 1::bigint, 36500::bigint, null::bigint),
      ('cache_entries_max', 0, 9007199254740991, 100000),
      ('cache_bytes_max', 0, 9007199254740991, 268435456),
      ('artifact_bytes_max', 0, 9007199254740991, 536870912),
      ('run_artifact_bytes_max', 0, 9007199254740991, 2147483648),
      ('run_artifacts_max', 0, 9007199254740991, 1000),
      ('key_days_max', 0, 36500, 90),
      ('key_days_warning', 0, 36500, 90)) k(name, lowest, highest, initial)
    left join millrace.setting s on s.name = k.name
   cross join lateral (
     select case when (s.value #>> '{}') ~ '^[0-9]{1,16}(\.0+)?$' and (s.value #>> '{}')::numeric between k.lowest and k.highest
                 then (s.value #>> '{}')::numeric::bigint end as number) r
$$;
comment on function millrace.number_settings() is 'The numbers among the settings: what stands there, and the number that counts.';
