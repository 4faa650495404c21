-- Secrets, encrypted payloads, and what was erased.

alter table millrace.pipeline_version
  add column is_encrypted boolean not null generated always as (graph ? 'encrypt') stored;
comment on column millrace.pipeline_version.is_encrypted is 'Its inputs, outputs, checkpoints and errors come encrypted from the SDK: what comes in the clear is refused.';

alter type millrace.start_version add attribute is_encrypted boolean;

alter table millrace.idempotency add column input_digest_key text;
comment on column millrace.idempotency.input_digest_key is 'Of an encrypted input: the key with which input_digest, an HMAC of the clear input, was made. Null where it is the sha256.';

create table millrace.secret (
  name text collate "C" primary key check (name ~ '^[A-Za-z][A-Za-z0-9_./-]{0,199}$'),
  source text not null check (source in ('table', 'environment', 'aws')),
  reference text check (length(reference) between 1 and 2048),
  version int not null check (version > 0),
  max_age_seconds bigint check (max_age_seconds between 1 and 3153600000),
  changed_at timestamptz not null,
  created_at timestamptz not null,
  created_by text not null,
  check ((source = 'table') = (reference is null))
);
comment on table millrace.secret is 'A secret by name: where its value lies, since when it is what it is, and how old it may become. Never the value.';
comment on column millrace.secret.reference is 'The environment variable, or the id in AWS Secrets Manager; null where the value lies in secret_version.';
comment on column millrace.secret.changed_at is 'Since when the value is what it is, as far as is known.';

create table millrace.secret_version (
  name text collate "C" not null references millrace.secret on delete cascade,
  version int not null check (version > 0),
  value jsonb not null check (value ? '$encrypted'),
  created_at timestamptz not null,
  created_by text not null,
  primary key (name, version)
);
comment on table millrace.secret_version is 'The values of secrets, encrypted by the SDK with a key that the database never sees.';

create table millrace.secret_read (
  run_id uuid not null,
  step text collate "C" not null,
  item int not null check (item >= -1),
  attempt int not null check (attempt > 0),
  name text collate "C" not null,
  version text not null,
  source text not null,
  worker_id uuid not null,
  read_by text not null,
  read_at timestamptz not null,
  primary key (run_id, step, item, attempt, name, version)
);
comment on table millrace.secret_read is 'Which attempt read which version of a secret: written before the handler gets the value, kept as long as the run.';
create index secret_read_name on millrace.secret_read (name, read_at);

create table millrace.erasure (
  id uuid primary key,
  erased_run uuid,
  erased_tenant text collate "C",
  reason text,
  counts jsonb not null default '{}' check (jsonb_typeof(counts) = 'object'),
  begun_at timestamptz not null,
  begun_by text not null,
  finished_at timestamptz,
  check (num_nonnulls(erased_run, erased_tenant) = 1)
);
comment on table millrace.erasure is 'What was erased, when, by whom and why, with the number of rows of each table: never what stood in them.';

alter table millrace.secret enable row level security;
alter table millrace.secret_version enable row level security;
alter table millrace.secret_read enable row level security;
alter table millrace.erasure enable row level security;
