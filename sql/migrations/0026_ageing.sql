-- Tasks that become more urgent the longer they are ready, where their pipeline says so.
alter table millrace.pipeline_version
  add column ageing_ms bigint generated always as ((graph -> 'ageing_ms')::bigint) stored check (ageing_ms between 1000 and 2592000000);
comment on column millrace.pipeline_version.ageing_ms is 'After how long a task that is ready and not begun counts as one level more urgent, and so on; null for never.';
create index pipeline_version_ageing on millrace.pipeline_version (slug, version) where ageing_ms is not null;
