-- A bound of artifacts, as the administrator has set it.
create or replace function millrace.artifact_limit(name text) returns bigint
language sql stable
as $$
  select millrace.setting_number(artifact_limit.name)
$$;
comment on function millrace.artifact_limit(text) is 'A bound of artifacts, as the administrator has set it.';
