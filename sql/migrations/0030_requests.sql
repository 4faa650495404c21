-- Answers to requests that carry an idempotency key, and the counts of requests.

create table millrace.answered_request (
  who text collate "C" not null check (length(who) between 1 and 300),
  idempotency_key text collate "C" not null check (length(idempotency_key) between 1 and 255),
  digest bytea not null check (octet_length(digest) = 32),
  tenant text collate "C",
  status int not null check (status between 200 and 299),
  answer text check (octet_length(answer) <= 1048576),
  is_kept boolean not null,
  answered_at timestamptz not null,
  primary key (who, idempotency_key),
  check (is_kept or answer is null)
);
comment on table millrace.answered_request is 'What was answered to a request with an idempotency key, written in the transaction of what it did: sent again, it has the same answer.';
comment on column millrace.answered_request.digest is 'SHA-256 of what was asked: another request under the same key is refused.';
comment on column millrace.answered_request.is_kept is 'False where the answer is shown once, or too large to be kept.';
create index answered_request_time on millrace.answered_request (answered_at);
create index answered_request_tenant on millrace.answered_request (tenant) where tenant is not null;

-- Columns as rate-limiter-flexible has them. Not logged: after a crash of the server everybody begins at nought, and nobody waits for a disk to be counted.
create unlogged table millrace.request_count (
  key varchar(255) primary key,
  points int not null default 0,
  expire bigint
);
comment on table millrace.request_count is 'How many requests came from an address, or with a key, in its present minute or hour; expire in milliseconds since 1970.';
create index request_count_expire on millrace.request_count (expire);

alter table millrace.answered_request enable row level security;
alter table millrace.request_count enable row level security;
