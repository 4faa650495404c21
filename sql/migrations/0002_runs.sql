-- Runs, and the small tables that keep them unique.

create table millrace.run (
  id uuid not null primary key,
  slug text collate "C" not null,
  version int not null,
  tenant text collate "C",
  key text collate "C",
  state text not null default 'pending'
    check (state in ('pending', 'running', 'waiting', 'completed', 'failed', 'cancelled')),
  priority smallint not null default 5 check (priority between 1 and 9),
  input jsonb,
  output jsonb,
  error jsonb,
  headers jsonb check (jsonb_typeof(headers) = 'object'),
  idempotency_key text,
  started_via text not null,
  started_by text not null,
  created_at timestamptz not null,
  available_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  paused_at timestamptz,
  revision int not null default 0,
  foreign key (slug, version) references millrace.pipeline_version (slug, version),
  check ((finished_at is not null) = (state in ('completed', 'failed', 'cancelled'))),
  check ((error is not null) = (state = 'failed')),
  check (output is null or state = 'completed'),
  check (started_at is not null or state in ('pending', 'cancelled', 'failed')),
  check (paused_at is null or finished_at is null)
) partition by range (id);
comment on table millrace.run is 'A pipeline under way, or ended: from its start to a final state. Partitioned by the time in its id.';
comment on column millrace.run.key is 'The run key: at most one live run per pipeline, tenant and key.';
comment on column millrace.run.priority is 'From 1, first, to 9, last.';
comment on column millrace.run.started_via is 'What started it: sdk, sql, cli, outside, a trigger.';
comment on column millrace.run.started_by is 'The database role that started it.';
create index run_of_pipeline on millrace.run (slug, version, id);
create index run_of_tenant on millrace.run (tenant, id) where tenant is not null;

create table millrace.live_key (
  slug text collate "C" not null references millrace.pipeline,
  tenant text collate "C",
  key text collate "C" not null,
  run_id uuid not null,
  -- The tenant last: it is compared with "is not distinct from", which no index can look up.
  unique nulls not distinct (slug, key, tenant)
);
comment on table millrace.live_key is 'The run keys of live runs: what makes a second live run with one key impossible.';
create index live_key_run on millrace.live_key (run_id);

create table millrace.idempotency (
  slug text collate "C" not null references millrace.pipeline,
  tenant text collate "C",
  key text collate "C" not null check (length(key) between 1 and 500),
  input_digest bytea not null,
  run_id uuid not null,
  expires_at timestamptz not null,
  unique nulls not distinct (slug, key, tenant)
);
comment on table millrace.idempotency is 'Idempotency keys within their lifetime, with the digest of the input that they came with.';
create index idempotency_expiry on millrace.idempotency (expires_at);

create table millrace.run_deadline (
  run_id uuid primary key,
  silence_seconds int not null check (silence_seconds between 1 and 31536000),
  deadline_at timestamptz not null
);
comment on table millrace.run_deadline is 'Runs reported from outside that fail when nothing is heard of them until deadline_at.';
create index run_deadline_due on millrace.run_deadline (deadline_at);

create table millrace.run_watch (
  run_id uuid not null,
  watcher uuid not null,
  expires_at timestamptz not null,
  primary key (run_id, watcher)
);
comment on table millrace.run_watch is 'Who waits for the end of a run: only those ends are notified.';
create index run_watch_expiry on millrace.run_watch (expires_at);
