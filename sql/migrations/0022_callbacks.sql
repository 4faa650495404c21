-- What is told to other servers when a run ends.

create table millrace.callback (
  id bigint generated always as identity primary key,
  run_id uuid,
  slug text collate "C" references millrace.pipeline,
  url text not null check (length(url) between 9 and 2000 and url ~ '^https?://[^/?#@\\]+([/?#]|$)'),
  ends text[] not null check (cardinality(ends) > 0 and ends <@ array['completed', 'failed', 'cancelled']),
  secret text not null check (length(secret) between 1 and 200),
  created_at timestamptz not null,
  created_by text not null,
  disabled_at timestamptz,
  unique nulls not distinct (run_id, slug, url),
  check (num_nonnulls(run_id, slug) = 1)
);
comment on table millrace.callback is 'An address that is told of the end of a run, or of each run of a pipeline.';
comment on column millrace.callback.ends is 'The ends that it is told of.';
comment on column millrace.callback.secret is 'The name of the secret that signs what is sent.';
comment on column millrace.callback.disabled_at is 'Since when nothing is sent there any more: the address answered 410, it is gone.';
create index callback_slug on millrace.callback (slug);

create table millrace.callback_delivery (
  id uuid primary key,
  run_id uuid not null,
  callback_id bigint not null,
  url text not null,
  host text not null generated always as (left(substring(url, '^https?://([^/?#]+)'), 300)) stored,
  secret text not null,
  ended text not null check (ended in ('completed', 'failed', 'cancelled')),
  ended_at timestamptz not null,
  error_code text,
  queued_at timestamptz not null,
  due_at timestamptz,
  claims int not null default 0,
  attempts int not null default 0 check (attempts >= 0),
  delivered_at timestamptz,
  given_up_at timestamptz,
  reason text check (length(reason) <= 200),
  unique (callback_id, run_id, ended_at),
  check (num_nonnulls(due_at, delivered_at, given_up_at) = 1),
  check (delivered_at is null or reason is null)
) with (fillfactor = 70);
comment on table millrace.callback_delivery is 'What one address is to be told of one end of a run: due, delivered or given up.';
comment on column millrace.callback_delivery.id is 'The id of the message, the same for each attempt.';
comment on column millrace.callback_delivery.callback_id is 'Its callback, which may be gone from the code meanwhile. No foreign key: the end of a run would lock that row.';
comment on column millrace.callback_delivery.host is 'Whom it goes to: when that one does not answer, the others to it wait.';
comment on column millrace.callback_delivery.due_at is 'When it is sent next; while a worker sends it, when another one may.';
comment on column millrace.callback_delivery.claims is 'Rises with each attempt: whoever answers for an earlier one changes nothing.';
comment on column millrace.callback_delivery.attempts is 'How many failed since it was queued.';
create index callback_delivery_run on millrace.callback_delivery (run_id);
create index callback_delivery_due on millrace.callback_delivery (due_at) where due_at is not null;
create index callback_delivery_host on millrace.callback_delivery (host, due_at) where due_at is not null;

create table millrace.callback_attempt (
  delivery_id uuid not null references millrace.callback_delivery on delete cascade,
  number int not null check (number > 0),
  at timestamptz not null,
  duration_ms int not null check (duration_ms >= 0),
  status int check (status between 100 and 999),
  reason text check (length(reason) <= 200),
  primary key (delivery_id, number),
  check (num_nonnulls(status, reason) > 0)
);
comment on table millrace.callback_attempt is 'One request of a delivery, and what came of it. A number that is missing is that of a worker that died meanwhile.';

alter table millrace.callback enable row level security;
alter table millrace.callback_delivery enable row level security;
alter table millrace.callback_attempt enable row level security;
