-- The cache, artifacts and named locks.

insert into millrace.setting (name, value) values
  ('cache_entries_max', '100000'), ('cache_bytes_max', '268435456'),
  ('artifact_bytes_max', '536870912'), ('run_artifact_bytes_max', '2147483648'), ('run_artifacts_max', '1000')
on conflict do nothing;

create table millrace.cache_entry (
  id bigint generated always as identity primary key,
  scope text collate "C" not null check (scope ~ '^[a-z][a-z0-9-]{0,62}(/[a-z][a-z0-9-]{0,62})?$'),
  key text collate "C" not null check (length(key) between 1 and 500),
  tenant text collate "C",
  value jsonb not null,
  size int not null check (size > 0),
  run_id uuid not null,
  step text collate "C" not null,
  computed_at timestamptz not null,
  expires_at timestamptz not null,
  -- The tenant last: it is compared with "is not distinct from", which no index can look up.
  unique nulls not distinct (scope, key, tenant),
  check (expires_at > computed_at)
);
comment on table millrace.cache_entry is 'A value that a step computed and others may use until it expires, those of its tenant alone.';
comment on column millrace.cache_entry.scope is 'Who shares it: a name, or pipeline/step.';
comment on column millrace.cache_entry.run_id is 'The run that computed it, in step.';
create index cache_entry_expiry on millrace.cache_entry (expires_at, id) include (size);
create index cache_entry_run on millrace.cache_entry (run_id);
create index cache_entry_tenant on millrace.cache_entry (tenant) where tenant is not null;

create table millrace.cache_claim (
  id bigint generated always as identity primary key,
  scope text collate "C" not null,
  key text collate "C" not null,
  tenant text collate "C",
  run_id uuid not null,
  task_id bigint not null,
  step_id int not null,
  attempt int not null check (attempt > 0),
  worker_id uuid not null,
  claimed_at timestamptz not null,
  awaited boolean not null default false,
  unique nulls not distinct (scope, key, tenant)
);
comment on table millrace.cache_claim is 'Who computes a value for the cache at present. It counts only while its attempt holds its task, and without it nothing is stored.';
comment on column millrace.cache_claim.awaited is 'Somebody waits for the value, and is notified.';
create index cache_claim_run on millrace.cache_claim (run_id);

create table millrace.artifact (
  run_id uuid not null,
  name text collate "C" not null check (length(name) between 1 and 200),
  id uuid not null,
  step text collate "C" not null,
  item int not null check (item >= -1),
  attempt int not null check (attempt > 0),
  type text not null check (length(type) between 1 and 200),
  size bigint not null check (size >= 0),
  sha256 bytea not null check (octet_length(sha256) = 32),
  store text not null check (length(store) between 1 and 60),
  location text not null,
  created_at timestamptz not null,
  primary key (run_id, name)
) partition by range (run_id);
comment on table millrace.artifact is 'Something larger than a value that a run has written, complete: its name, type, size and hash. Its bytes lie in artifact_chunk, or in another store.';
comment on column millrace.artifact.store is 'postgres, or the name of the store that a worker was given; location is where it lies there.';
create table millrace.artifact_default partition of millrace.artifact default;

create table millrace.artifact_chunk (
  run_id uuid not null,
  artifact_id uuid not null,
  position int not null check (position >= 0),
  bytes bytea not null check (octet_length(bytes) between 1 and 1048576),
  primary key (run_id, artifact_id, position)
) partition by range (run_id);
comment on table millrace.artifact_chunk is 'A megabyte of an artifact, by its position from 0.';
-- What is written once and read whole gains nothing by a compression that its type often has already.
alter table millrace.artifact_chunk alter column bytes set storage external;
create table millrace.artifact_chunk_default partition of millrace.artifact_chunk default;

create table millrace.artifact_upload (
  id uuid primary key,
  of_run uuid not null,
  name text collate "C" not null,
  type text not null,
  task_id bigint not null,
  step_id int not null,
  attempt int not null,
  worker_id uuid,
  store text not null,
  location text not null,
  size bigint not null default 0 check (size >= 0),
  touched_at timestamptz not null,
  is_left boolean not null default false
) with (fillfactor = 50);
comment on table millrace.artifact_upload is 'Bytes that no artifact shows: those of one that is being written, and those that were left behind and wait for their removal.';
comment on column millrace.artifact_upload.of_run is 'Not named run_id: it outlives its run until the bytes are gone, without a name of anything.';
comment on column millrace.artifact_upload.is_left is 'Nobody writes it any more. So it is as well when its attempt no longer holds its task.';
create index artifact_upload_run on millrace.artifact_upload (of_run);
create index artifact_upload_touched on millrace.artifact_upload (touched_at);

create table millrace.lock_request (
  id bigint generated always as identity primary key,
  request uuid not null unique,
  name text collate "C" not null check (length(name) between 1 and 200),
  tenant text collate "C",
  run_id uuid not null,
  task_id bigint not null,
  step_id int not null,
  item int not null check (item >= -1),
  attempt int not null check (attempt > 0),
  worker_id uuid not null,
  asked_at timestamptz not null,
  wait_until timestamptz,
  granted_at timestamptz,
  token bigint,
  check ((granted_at is null) = (token is null))
);
comment on table millrace.lock_request is 'Who holds a named lock, and who waits for it in the order of id. A row counts only while its attempt holds its task, so that a crash frees the lock.';
comment on column millrace.lock_request.token is 'The fencing token of the holder: each one is higher than those before it.';
create unique index lock_request_holder on millrace.lock_request (name, tenant) nulls not distinct where token is not null;
create index lock_request_line on millrace.lock_request (name, id);
create index lock_request_task on millrace.lock_request (task_id);
create index lock_request_run on millrace.lock_request (run_id);
create sequence millrace.lock_token;

alter table millrace.cache_entry enable row level security;
alter table millrace.cache_claim enable row level security;
alter table millrace.artifact enable row level security;
alter table millrace.artifact_default enable row level security;
alter table millrace.artifact_chunk enable row level security;
alter table millrace.artifact_chunk_default enable row level security;
alter table millrace.artifact_upload enable row level security;
alter table millrace.lock_request enable row level security;
