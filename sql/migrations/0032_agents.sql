-- What agents ask people for: an operation with all that it takes, which a person approves or rejects, and which is carried out with the approval.
create table millrace.agent_request (
  id uuid primary key,
  operation text not null check (operation ~ '^[a-z][A-Za-z]{1,62}$'),
  asked jsonb not null check (jsonb_typeof(asked) = 'object' and octet_length(asked::text) <= 1048576),
  digest bytea not null check (octet_length(digest) = 32),
  why text check (length(why) <= 1000),
  asker_id text not null check (length(asker_id) <= 200),
  asker_name text not null check (length(asker_name) <= 200),
  asked_by text not null,
  bound_tenant text,
  bound_pipelines text[],
  bound_run uuid,
  sees_payloads boolean not null,
  tenant text,
  pipeline text,
  run_id uuid,
  state text not null default 'open' check (state in ('open', 'approved', 'rejected', 'failed', 'expired')),
  asked_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > asked_at),
  decided_at timestamptz check (decided_at >= asked_at),
  decided_by text,
  comment text check (length(comment) <= 1000),
  answer jsonb check (octet_length(answer::text) <= 131072),
  error jsonb check (jsonb_typeof(error) = 'object' and octet_length(error::text) <= 8192),
  check ((state in ('approved', 'rejected', 'failed')) = (decided_at is not null)),
  check ((decided_at is null) = (decided_by is null)),
  check (answer is null or state = 'approved'),
  check ((error is not null) = (state = 'failed')));
comment on table millrace.agent_request is 'What agents asked people for: an operation, who decided, and what came of it.';
comment on column millrace.agent_request.asked is 'What the operation is given: params, query, body, if_revision, idempotency_key.';
comment on column millrace.agent_request.digest is 'sha256 of the operation and of what it is given: the same question is open once.';
comment on column millrace.agent_request.bound_tenant is 'The agent is bound to this tenant; what it asked for is carried out within that.';
comment on column millrace.agent_request.sees_payloads is 'Whether the agent sees what went into runs and came out: so whether the answer may hold it.';
comment on column millrace.agent_request.tenant is 'Of what it would change: so that erasing a tenant erases it.';
create unique index agent_request_open on millrace.agent_request (asker_id, digest) where state = 'open';
create index agent_request_due on millrace.agent_request (expires_at) where state = 'open';
create index agent_request_asked on millrace.agent_request (asked_at);
create index agent_request_run on millrace.agent_request (run_id) where run_id is not null;
create index agent_request_tenant on millrace.agent_request (tenant) where tenant is not null;

-- What was asked, and who decided what. That one has expired is nobody's act, and what it was given is payload.
create trigger audited after insert on millrace.agent_request
  for each row execute function millrace.audit_row('agent_request', 'id', 'asked,answer,digest');
create trigger audited_change after update on millrace.agent_request
  for each row when (old.state is distinct from new.state and new.state <> 'expired')
  execute function millrace.audit_row('agent_request', 'id', 'asked,answer,digest');
