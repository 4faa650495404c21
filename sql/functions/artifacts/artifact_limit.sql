-- A bound of artifacts, as the administrator has set it.
create or replace function millrace.artifact_limit(name text) returns bigint
language sql stable
as $$
  select coalesce((select (s.value #>> '{}')::bigint from millrace.setting s where s.name = artifact_limit.name),
                  case artifact_limit.name when 'artifact_bytes_max' then 536870912 when 'run_artifact_bytes_max' then 2147483648 else 1000 end)
$$;
comment on function millrace.artifact_limit(text) is 'A bound of artifacts, as the administrator has set it.';
