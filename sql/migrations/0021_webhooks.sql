-- The inbox of webhooks: what is registered, each request as it was received, and the runs that came of it.

create table millrace.webhook (
  name text collate "C" primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  provider text not null check (length(provider) between 1 and 40),
  pipelines text[] not null check (cardinality(pipelines) between 1 and 20),
  secrets text[] not null check (cardinality(secrets) between 1 and 2),
  settings jsonb not null check (jsonb_typeof(settings) = 'object'),
  kept_days int not null check (kept_days between 1 and 3650),
  by_worker boolean not null,
  revision int not null check (revision > 0),
  created_at timestamptz not null,
  changed_at timestamptz not null,
  changed_by text not null,
  retired_at timestamptz
);
comment on table millrace.webhook is 'The webhooks that code declares; what they map and filter by stays in the code.';
comment on column millrace.webhook.secrets is 'The names of its secrets, of which one must have signed; their values lie in secret_version.';
comment on column millrace.webhook.by_worker is 'Whether a worker registered it with its set: then it is retired once the set lacks it.';
comment on column millrace.webhook.retired_at is 'Since when no code declares it any more: what arrives is refused.';

create table millrace.delivery (
  id uuid primary key,
  webhook text collate "C" not null references millrace.webhook,
  provider_id text collate "C" check (length(provider_id) between 1 and 500),
  tenant text collate "C" check (length(tenant) between 1 and 200),
  received_at timestamptz not null,
  judged_at timestamptz not null check (judged_at >= received_at),
  tries int not null check (tries > 0),
  repeats int not null check (repeats >= 0),
  state text not null check (state in ('accepted', 'filtered', 'refused', 'failed')),
  status int not null check (status between 200 and 599),
  reason text check (length(reason) between 1 and 100),
  problem text check (length(problem) <= 2000),
  content_type text check (length(content_type) <= 200),
  headers jsonb not null check (jsonb_typeof(headers) = 'object'),
  source_ip inet,
  body bytea,
  sealed_body jsonb check (sealed_body ? '$encrypted'),
  body_bytes int check (body_bytes >= 0),
  body_digest bytea check (length(body_digest) = 32),
  replay_of uuid references millrace.delivery on delete cascade,
  check (num_nonnulls(body, sealed_body, replay_of) <= 1),
  check (state <> 'refused' or num_nonnulls(body, sealed_body, replay_of) = 0),
  check (state not in ('refused', 'failed') or reason is not null),
  check ((state in ('accepted', 'filtered')) = (status < 300))
);
comment on table millrace.delivery is 'Each request to a webhook as it was received, and what became of it; one that is sent again after it failed is the same delivery.';
comment on column millrace.delivery.provider_id is 'By what its sender calls it: an accepted one is accepted once. Of a refused one nobody knows who wrote it.';
comment on column millrace.delivery.tries is 'How often it was judged.';
comment on column millrace.delivery.repeats is 'How often it came again after it was accepted.';
comment on column millrace.delivery.headers is 'Without what could be used again: cookies, credentials and signatures are masked.';
comment on column millrace.delivery.body is 'As it came, byte by byte; null of a refused one, of a replay, and where a run that it started was erased.';
comment on column millrace.delivery.sealed_body is 'In its place where a pipeline is encrypted.';
comment on column millrace.delivery.replay_of is 'The delivery whose body was judged once more.';
create unique index delivery_once on millrace.delivery (webhook, provider_id) where state <> 'refused' and replay_of is null;
create index delivery_by_time on millrace.delivery (webhook, received_at);
create index delivery_replays on millrace.delivery (replay_of) where replay_of is not null;
create index delivery_refused on millrace.delivery (webhook, received_at) where state = 'refused';
create index delivery_sealed on millrace.delivery (id) where sealed_body is not null;

create table millrace.delivery_run (
  delivery_id uuid not null references millrace.delivery on delete cascade,
  pipeline text collate "C" not null,
  outcome text not null check (outcome in ('started', 'coalesced', 'live', 'limit', 'paused')),
  run_id uuid,
  rule text collate "C",
  passes_at timestamptz,
  primary key (delivery_id, pipeline),
  check ((run_id is null) = (outcome in ('limit', 'paused')))
);
comment on table millrace.delivery_run is 'What each pipeline of a webhook made of a delivery: a run, one that was there, or why none.';
create index delivery_run_of_run on millrace.delivery_run (run_id) where run_id is not null;

create table millrace.webhook_refusal (
  webhook text collate "C" not null,
  minute timestamptz not null,
  reason text collate "C" not null,
  refused bigint not null check (refused > 0),
  primary key (webhook, minute, reason)
);
comment on table millrace.webhook_refusal is 'How many requests were refused in each minute: of those beyond the first twenty of a reason, this number is all that is kept.';
comment on column millrace.webhook_refusal.webhook is 'Empty for names that no webhook has.';
create index webhook_refusal_by_time on millrace.webhook_refusal (minute);

alter table millrace.secret_version add column valid_until timestamptz;
comment on column millrace.secret_version.valid_until is 'Until when webhooks take this version beside the one that came after it; null where they don''t.';

create type millrace.received_delivery as (
  place int,
  id uuid,
  webhook text,
  provider_id text,
  tenant text,
  state text,
  status int,
  reason text,
  problem text,
  content_type text,
  headers jsonb,
  source_ip inet,
  sealed_body jsonb,
  body_bytes int,
  body_digest text,
  replay_of uuid,
  seen_state text,
  again boolean
);
comment on type millrace.received_delivery is 'A delivery as a handler has judged it. Of a replay, seen_state is what the other was when it was read; again: also where a replay has answered it before.';

create type millrace.delivery_link as (
  place int,
  pipeline text,
  outcome text,
  run_id uuid,
  rule text,
  passes_at timestamptz
);
comment on type millrace.delivery_link is 'What a pipeline made of the delivery at this place.';

alter table millrace.webhook enable row level security;
alter table millrace.delivery enable row level security;
alter table millrace.delivery_run enable row level security;
alter table millrace.webhook_refusal enable row level security;
