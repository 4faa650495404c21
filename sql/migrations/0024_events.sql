-- Events that an application emits, and who subscribes to them.

create table millrace.subscription (
  id bigint generated always as identity primary key,
  name text collate "C" not null unique check (name ~ '^[A-Za-z][A-Za-z0-9_.:-]{0,199}$'),
  event text collate "C" not null check (length(event) between 1 and 200),
  slug text collate "C" not null references millrace.pipeline,
  tenant text collate "C" check (length(tenant) between 1 and 200),
  filter jsonb check (jsonb_typeof(filter) = 'object'),
  input_paths jsonb check (jsonb_typeof(input_paths) = 'object'),
  source text not null check (source in ('code', 'operator')),
  revision int not null default 1,
  paused_at timestamptz,
  retired_at timestamptz,
  changed_at timestamptz not null,
  changed_by text not null
);
comment on table millrace.subscription is 'Which emitted events start a run of which pipeline.';
comment on column millrace.subscription.tenant is 'The tenant whose events it gets; null for one of the operator, which gets those of all.';
comment on column millrace.subscription.filter is 'What the payload must contain; null for any.';
comment on column millrace.subscription.input_paths is 'The fields of the input, each with its path into the payload; null where the payload is the input.';
comment on column millrace.subscription.retired_at is 'Since when it is removed, or gone from the code; what it started still names it.';
create index subscription_event on millrace.subscription (event) where retired_at is null;
create index subscription_slug on millrace.subscription (slug);

create table millrace.emitted_event (
  id bigint generated always as identity primary key,
  name text collate "C" not null check (length(name) between 1 and 200),
  payload jsonb not null,
  tenant text collate "C" check (length(tenant) between 1 and 200),
  idempotency_key text check (length(idempotency_key) between 1 and 500),
  emitted_at timestamptz not null,
  emitted_by text not null,
  run_id uuid,
  step text,
  chain bigint[] not null default '{}',
  due_at timestamptz,
  tries int not null default 0,
  settled_at timestamptz,
  check (num_nonnulls(due_at, settled_at) = 1),
  check (step is null or run_id is not null)
) with (fillfactor = 80);
comment on table millrace.emitted_event is 'An event that an application or a step emitted, in its own transaction.';
comment on column millrace.emitted_event.run_id is 'The run whose step emitted it; null for an application.';
comment on column millrace.emitted_event.chain is 'The subscriptions by which the run that emitted it came about, the first one first.';
comment on column millrace.emitted_event.settled_at is 'Since when each subscription to it has its run, or the reason why there is none.';
create unique index emitted_event_key on millrace.emitted_event (name, idempotency_key, tenant) nulls not distinct where idempotency_key is not null;
create index emitted_event_due on millrace.emitted_event (due_at, id) where due_at is not null;
create index emitted_event_run on millrace.emitted_event (run_id) where run_id is not null;
create index emitted_event_name on millrace.emitted_event (name, id);
create index emitted_event_settled on millrace.emitted_event (settled_at) where settled_at is not null;

create table millrace.event_start (
  event_id bigint not null references millrace.emitted_event on delete cascade,
  subscription_id bigint not null references millrace.subscription on delete cascade,
  run_id uuid,
  refusal text,
  detail text check (length(detail) <= 1000),
  at timestamptz not null,
  primary key (event_id, subscription_id),
  check (num_nonnulls(run_id, refusal) = 1)
);
comment on table millrace.event_start is 'What became of an emitted event for one subscription: the run that it started, or why there is none. Its key is what makes that happen once.';
create index event_start_subscription on millrace.event_start (subscription_id);
create index event_start_run on millrace.event_start (run_id) where run_id is not null;

create type millrace.subscribed_event as (
  event_id bigint,
  subscription_id bigint,
  slug text,
  tenant text,
  part int,
  run_id uuid,
  cut text
);
comment on type millrace.subscribed_event is 'An event and a subscription that it fits: what is started for it, or why nothing is.';

alter table millrace.subscription enable row level security;
alter table millrace.emitted_event enable row level security;
alter table millrace.event_start enable row level security;
