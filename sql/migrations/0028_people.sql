-- People: who may sign in, with which role, and the sessions in which they are.

create table millrace.person (
  id uuid primary key,
  email text collate "C" not null unique check (email = lower(email) and length(email) between 3 and 254 and email like '%_@_%'),
  name text not null check (length(name) between 1 and 200),
  email_verified boolean not null default false,
  role text collate "C" not null check (role in ('viewer', 'operator', 'admin')),
  payloads boolean not null default false,
  revision int not null default 0 check (revision >= 0),
  disabled_at timestamptz,
  disabled_by text,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  check ((disabled_at is null) = (disabled_by is null))
);
comment on table millrace.person is 'Who may sign in: their address, role, and whether they see payloads.';
comment on column millrace.person.email_verified is 'Whether the provider of their sign-in said that the address is theirs.';
comment on column millrace.person.payloads is 'Whether they see what went into runs and came out: a right of its own.';
comment on column millrace.person.revision is 'How often people have changed it.';

create table millrace.person_account (
  id uuid primary key,
  person_id uuid not null references millrace.person on delete cascade,
  provider text collate "C" not null check (provider in ('credential', 'oidc')),
  account text collate "C" not null check (length(account) between 1 and 2500),
  password text collate "C" check (password like '$argon2id$%'),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (provider, account),
  unique (person_id, provider),
  check ((provider = 'credential') = (password is not null))
);
comment on table millrace.person_account is 'By what somebody signs in: a password, of which the hash is here, or the provider''s name for them.';
comment on column millrace.person_account.account is 'Of a provider: its address, a space, and its name for them.';

create table millrace.person_session (
  id uuid primary key,
  person_id uuid not null references millrace.person on delete cascade,
  token_hash text collate "C" not null unique check (token_hash ~ '^[A-Za-z0-9_-]{43}$'),
  address text check (length(address) <= 100),
  user_agent text check (length(user_agent) <= 200),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  seen_at timestamptz,
  expires_at timestamptz not null check (expires_at > created_at)
);
comment on table millrace.person_session is 'A session of somebody who has signed in; of its token only the hash.';
comment on column millrace.person_session.seen_at is 'When a request last came in it, to within a minute.';
comment on column millrace.person_session.expires_at is 'Its end, however busy it is.';
create index person_session_person on millrace.person_session (person_id, created_at);

create table millrace.person_link (
  id uuid primary key,
  person_id uuid references millrace.person on delete cascade,
  purpose text collate "C" not null check (purpose in ('invitation', 'reset', 'first_admin')),
  token_hash text collate "C" not null unique check (token_hash ~ '^[A-Za-z0-9_-]{43}$'),
  created_at timestamptz not null,
  created_by text not null,
  expires_at timestamptz not null check (expires_at > created_at),
  unique nulls not distinct (person_id),
  check ((purpose = 'first_admin') = (person_id is null))
);
comment on table millrace.person_link is 'A link that lets somebody set a password, once: one a person at most, and one for the first admin.';

create table millrace.sign_in_lock (
  key text collate "C" primary key check (key ~ '^[A-Za-z0-9_-]{43}$'),
  tries timestamptz[] not null check (cardinality(tries) <= 100),
  expires_at timestamptz not null
);
comment on table millrace.sign_in_lock is 'Tries to sign in that did not succeed, by the hash of an account''s or a sender''s address: whether the account exists or not.';
create index sign_in_lock_expires_at on millrace.sign_in_lock (expires_at);

alter table millrace.person enable row level security;
alter table millrace.person_account enable row level security;
alter table millrace.person_session enable row level security;
alter table millrace.person_link enable row level security;
alter table millrace.sign_in_lock enable row level security;

create trigger audited after insert or delete on millrace.person
  for each row execute function millrace.audit_row('person', 'id');
create trigger audited_change after update on millrace.person
  for each row when ((old.name, old.role, old.payloads, old.disabled_at, old.email_verified) is distinct from (new.name, new.role, new.payloads, new.disabled_at, new.email_verified))
  execute function millrace.audit_row('person', 'id');
create trigger audited after insert or update or delete on millrace.person_account
  for each row execute function millrace.audit_row('person_account', 'person_id', 'password');
create trigger audited after insert or update or delete on millrace.person_link
  for each row execute function millrace.audit_row('person_link', 'person_id', 'token_hash');
create trigger audited after insert or delete on millrace.person_session
  for each row execute function millrace.audit_row('person_session', 'person_id', 'token_hash');
