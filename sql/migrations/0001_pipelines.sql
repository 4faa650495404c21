-- What can run: pipelines, their immutable versions, and the steps of each version.

create schema if not exists millrace;

create table millrace.setting (
  name text primary key,
  value jsonb not null
);
comment on table millrace.setting is 'What an administrator may change for the whole installation, one row a setting.';
insert into millrace.setting (name, value) values ('retention_days', '30');

create table millrace.pipeline (
  slug text collate "C" primary key check (slug ~ '^[a-z][a-z0-9-]{0,62}$'),
  active_version int,
  paused_at timestamptz,
  paused_by text,
  pause_reason text,
  retention_days int check (retention_days between 1 and 3650),
  revision int not null default 0,
  created_at timestamptz not null,
  check ((paused_at is null) = (paused_by is null))
);
comment on table millrace.pipeline is 'A pipeline by name: which version new runs get, and whether it is paused.';
comment on column millrace.pipeline.active_version is 'The version that starts from SQL, schedules and HTTP get: the one first registered last, or chosen by activate_pipeline.';
create index pipeline_paused on millrace.pipeline (slug) where paused_at is not null;

create table millrace.pipeline_version (
  slug text collate "C" not null references millrace.pipeline,
  version int not null check (version > 0),
  digest text not null,
  graph jsonb not null check (jsonb_typeof(graph -> 'steps') = 'array'),
  key_paths jsonb not null default '[]' check (jsonb_typeof(key_paths) = 'array'),
  entry_steps int[] not null default '{}',
  entry_handlers int[] not null default '{}',
  has_joins boolean not null default false,
  registered_at timestamptz not null,
  registered_by text not null,
  primary key (slug, version),
  unique (slug, digest)
);
comment on table millrace.pipeline_version is 'One graph of a pipeline, never changed: a run keeps the version with which it began.';
comment on column millrace.pipeline_version.key_paths is 'Paths into the input that make the run key; empty where runs have none.';
comment on column millrace.pipeline_version.entry_steps is 'Ids of the steps that begin at once; entry_handlers in the same order.';
comment on column millrace.pipeline_version.has_joins is 'Some step needs more than one other: a start writes its counts.';

alter table millrace.pipeline
  add foreign key (slug, active_version) references millrace.pipeline_version (slug, version);
create index pipeline_active_version on millrace.pipeline (slug, active_version);

create table millrace.handler (
  id int generated always as identity primary key,
  slug text collate "C" not null,
  version int not null,
  queue text collate "C" not null check (queue ~ '^[a-z][a-z0-9-]{0,62}$'),
  unique (slug, version, queue),
  foreign key (slug, version) references millrace.pipeline_version (slug, version)
);
comment on table millrace.handler is 'What a worker can serve: the steps of one version on one queue. Claims name handlers, so that what nobody here can run costs them nothing.';

create table millrace.step_definition (
  id int generated always as identity primary key,
  slug text collate "C" not null,
  version int not null,
  step text collate "C" not null check (step ~ '^[a-z][a-z0-9-]{0,62}$' or (step = '$end' and kind = 'end')),
  position int not null,
  kind text not null check (kind in ('step', 'map', 'end')),
  handler int references millrace.handler,
  over text collate "C",
  needs text[] not null default '{}',
  dependents int[] not null default '{}',
  next_rule text not null default 'graph' check (next_rule in ('chain', 'end', 'graph')),
  next_step_id int,
  next_handler int,
  max_attempts int not null check (max_attempts between 1 and 1000),
  backoff_initial_ms double precision not null check (backoff_initial_ms between 0 and 31536000000),
  backoff_factor double precision not null check (backoff_factor between 1 and 1000),
  backoff_max_ms double precision not null check (backoff_max_ms between 0 and 31536000000),
  backoff_jitter text not null check (backoff_jitter in ('full', 'none')),
  timeout_ms bigint not null check (timeout_ms between 1 and 31536000000),
  unique (slug, version, step),
  unique (slug, version, position),
  foreign key (slug, version) references millrace.pipeline_version (slug, version),
  check ((kind = 'map') = (over is not null)),
  check ((kind = 'end') = (handler is null)),
  check ((next_rule = 'chain') = (next_step_id is not null and next_handler is not null))
);
comment on table millrace.step_definition is 'One step of one version, with what its completion leads to worked out once, at registration.';
comment on column millrace.step_definition.position is 'Place in an order in which every step comes after what it needs.';
comment on column millrace.step_definition.needs is 'Names of the steps that must be final before this one is ready.';
comment on column millrace.step_definition.next_rule is 'chain: the only step after it needs nothing else and takes its place. end: it is the last. graph: joins, maps and branches.';
create index step_definition_handler on millrace.step_definition (handler);

create type millrace.start_version as (
  slug text, version int, resolved int, entry_steps int[], entry_handlers int[], key_paths jsonb, has_joins boolean, paused boolean);
comment on type millrace.start_version is 'What a start of one version needs; version is as it was asked for, resolved is the one it gets.';
