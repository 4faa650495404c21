-- API keys, the service accounts that they may belong to, and the public keys of tokens.

insert into millrace.setting (name, value) values ('key_days_max', '90'), ('key_days_warning', '90');

create table millrace.service_account (
  name text collate "C" primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  role text not null check (role in ('viewer', 'operator', 'admin')),
  description text not null default '' check (length(description) <= 500),
  created_at timestamptz not null,
  created_by text not null,
  disabled_at timestamptz,
  disabled_by text,
  check ((disabled_at is null) = (disabled_by is null))
);
comment on table millrace.service_account is 'A program that has keys: they outlive the person who made them, and end together where it is disabled.';

create table millrace.api_key (
  id uuid primary key,
  name text not null check (name ~ '^[^[:cntrl:]]{1,100}$'),
  prefix text collate "C" not null unique check (prefix ~ '^mr_[0-9a-f]{12}$'),
  digest bytea not null check (octet_length(digest) = 32),
  role text not null check (role in ('viewer', 'operator', 'admin')),
  scopes text[] check (cardinality(scopes) between 1 and 50),
  tenant text collate "C" check (length(tenant) between 1 and 200),
  pipelines text[] collate "C" check (cardinality(pipelines) between 1 and 100),
  payloads boolean not null,
  agent text check (agent in ('asks', 'acts')),
  requests_per_hour int check (requests_per_hour between 1 and 1000000000),
  service_account text collate "C" references millrace.service_account on delete cascade,
  person_id uuid references millrace.person on delete cascade,
  replaces uuid references millrace.api_key on delete set null,
  created_at timestamptz not null,
  created_by text not null,
  expires_at timestamptz not null check (expires_at > created_at),
  replaced_at timestamptz,
  revoked_at timestamptz,
  revoked_by text,
  revoked_because text check (length(revoked_because) <= 1000),
  check (scopes is null or payloads = ('payloads:read' = any (scopes))),
  check (num_nonnulls(service_account, person_id) <= 1),
  check ((revoked_at is null) = (revoked_by is null)),
  check (revoked_because is null or revoked_at is not null)
);
comment on table millrace.api_key is 'A key for the HTTP API: what it may do, for whom, and until when. Of the key itself only its SHA-256, so that it is shown once.';
comment on column millrace.api_key.prefix is 'The beginning of the key, by which it is found and recognised.';
comment on column millrace.api_key.digest is 'SHA-256 of the whole key, which holds 256 random bits.';
comment on column millrace.api_key.scopes is 'What it may do; null: all that its role has.';
comment on column millrace.api_key.tenant is 'It sees and touches nothing but this tenant; null: it is bound to none.';
comment on column millrace.api_key.requests_per_hour is 'Its own limit; null: that of the server.';
comment on column millrace.api_key.person_id is 'Whose key it is: it does no more than that person may, and nothing once that person is disabled. Null: of a service account, or made by a login.';
comment on column millrace.api_key.replaces is 'The key in whose place it came; both are taken until expires_at of that one.';
create unique index api_key_replaces on millrace.api_key (replaces) where replaces is not null;
create index api_key_service_account on millrace.api_key (service_account) where service_account is not null;
create index api_key_person on millrace.api_key (person_id) where person_id is not null;
create index api_key_tenant on millrace.api_key (tenant) where tenant is not null;
create index api_key_expires on millrace.api_key (expires_at);

create table millrace.api_key_use (
  key_id uuid primary key references millrace.api_key on delete cascade,
  used_at timestamptz not null,
  used_from text check (length(used_from) <= 100)
);
comment on table millrace.api_key_use is 'When a key was used last, and from where: written now and then by each server, apart from what the key is.';

create table millrace.token_key (
  id uuid primary key,
  public_key jsonb not null check (jsonb_typeof(public_key) = 'object' and not public_key ? 'd' and octet_length(public_key::text) <= 2000),
  created_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > created_at)
);
comment on table millrace.token_key is 'The public keys by which every server checks the short-lived tokens that one of them signed. The private half never leaves the process that made it.';
create index token_key_expires on millrace.token_key (expires_at);

alter table millrace.service_account enable row level security;
alter table millrace.api_key enable row level security;
alter table millrace.api_key_use enable row level security;
alter table millrace.token_key enable row level security;

create trigger audited after insert or update or delete on millrace.api_key
  for each row execute function millrace.audit_row('api_key', 'prefix', 'digest');
create trigger audited after insert or update or delete on millrace.service_account
  for each row execute function millrace.audit_row('service_account', 'name');
