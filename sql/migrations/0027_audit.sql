-- The audit trail: who changed what, from where, what it was before and after. Only added to, and sealed in a chain of hashes.

create table millrace.audit_entry (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  login text not null,
  actor text check (length(actor) between 1 and 200),
  actor_kind text check (length(actor_kind) between 1 and 40),
  actor_id text check (length(actor_id) between 1 and 200),
  agent text check (length(agent) between 1 and 40),
  address text check (length(address) between 1 and 100),
  user_agent text check (length(user_agent) between 1 and 200),
  correlation_id text check (length(correlation_id) between 1 and 100),
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  subject_kind text not null check (subject_kind ~ '^[a-z_]+$'),
  subject text not null check (length(subject) <= 500),
  before jsonb check (jsonb_typeof(before) = 'object'),
  after jsonb check (jsonb_typeof(after) = 'object'),
  detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object')
);
comment on table millrace.audit_entry is 'What was changed by whom, in the transaction of the change. Rows are only added; those that were exported may go. Never a secret, an input or an output.';
comment on column millrace.audit_entry.login is 'Who was connected: this one can''t be made up.';
comment on column millrace.audit_entry.actor is 'The person or key in whose name the login said to act; null where it acted in its own.';
comment on column millrace.audit_entry.agent is 'asks or acts, where an agent acted by a key.';
comment on column millrace.audit_entry.address is 'Where the request came from, as the server knows it; of a login by itself, the address of its connection.';
comment on column millrace.audit_entry.before is 'Of a row that was changed, the columns that differ; of one that was removed, all of them.';
create index audit_entry_subject on millrace.audit_entry (subject_kind, subject, id);
create index audit_entry_at on millrace.audit_entry (at);

create table millrace.audit_unsealed (
  entry_id bigint primary key
);
comment on table millrace.audit_unsealed is 'Entries that the chain does not hold yet. Each came with its entry, and goes when that is sealed.';

-- No foreign key: an entry that is gone is what a check of the chain is to find, not what the chain hides.
create table millrace.audit_seal (
  position bigint primary key check (position > 0),
  entry_id bigint not null unique,
  hash bytea not null check (length(hash) = 32),
  sealed_at timestamptz not null
);
comment on table millrace.audit_seal is 'The chain: each hash is of the one before it and of one entry. So nothing before a known hash can be changed without being found.';

create table millrace.audit_export (
  position bigint primary key check (position > 0),
  hash bytea not null check (length(hash) = 32),
  exported_at timestamptz not null,
  exported_by text not null
);
comment on table millrace.audit_export is 'Up to where the trail was exported and may be pruned. The chain goes on from the last of these hashes.';

alter table millrace.audit_entry enable row level security;
alter table millrace.audit_unsealed enable row level security;
alter table millrace.audit_seal enable row level security;
alter table millrace.audit_export enable row level security;

-- A row trigger, here or in a migration that follows, needs its function to be there: it gets its body with all other functions, in this same transaction.
do $$
declare
  name text;
begin
  foreach name in array array['audit_row', 'keep_trail', 'fill_tenant', 'list_unsuccessful'] loop
    execute format('create function millrace.%I() returns trigger language plpgsql as %L', name, 'begin return null; end');
  end loop;
end $$;

-- Always: session_replication_role does not switch them off.
create trigger kept before update or delete on millrace.audit_entry for each row execute function millrace.keep_trail();
create trigger kept_whole before truncate on millrace.audit_entry for each statement execute function millrace.keep_trail();
alter table millrace.audit_entry enable always trigger kept, enable always trigger kept_whole;
create trigger kept before update or delete on millrace.audit_seal for each row execute function millrace.keep_trail();
create trigger kept_whole before truncate on millrace.audit_seal for each statement execute function millrace.keep_trail();
alter table millrace.audit_seal enable always trigger kept, enable always trigger kept_whole;
create trigger kept before insert or update or delete on millrace.audit_export for each row execute function millrace.keep_trail();
create trigger kept_whole before truncate on millrace.audit_export for each statement execute function millrace.keep_trail();
alter table millrace.audit_export enable always trigger kept, enable always trigger kept_whole;

-- It belongs to a role that nobody can log in as, where this login may give it away; audit-trail verify says whose it is. The functions keep the right
-- to add to it, and to remove what keep_trail lets go.
do $$
declare
  is_superuser boolean := (select r.rolsuper from pg_roles r where r.rolname = current_user);
  trail_table text;
begin
  if not exists (select from pg_roles r where r.rolname = 'millrace_trail') then
    return;
  end if;
  if not is_superuser then
    execute format('grant millrace_trail to %I', current_user);
    grant usage, create on schema millrace to millrace_trail;
  end if;
  foreach trail_table in array array['audit_entry', 'audit_unsealed', 'audit_seal', 'audit_export'] loop
    execute format('alter table millrace.%I owner to millrace_trail', trail_table);
    if not is_superuser then
      execute format('grant select, insert, delete on millrace.%I to %I', trail_table, current_user);
      execute format('create policy functions_write on millrace.%I to %I using (true) with check (true)', trail_table, current_user);
    end if;
  end loop;
  if not is_superuser then
    execute format('grant select, usage on sequence millrace.audit_entry_id_seq to %I', current_user);
    revoke all on schema millrace from millrace_trail;
    execute format('revoke millrace_trail from %I', current_user);
  end if;
exception when insufficient_privilege then
  raise notice 'The audit trail belongs to %, who can log in: this login may not give it to millrace_trail.', current_user;
end $$;

-- What is audited: what people define. Where a row is also the engine's own notebook, only the columns that people change count.
create trigger audited after insert or update or delete on millrace.setting
  for each row execute function millrace.audit_row('setting', 'name');

create trigger audited after insert or delete on millrace.pipeline
  for each row execute function millrace.audit_row('pipeline', 'slug');
create trigger audited_change after update on millrace.pipeline
  for each row when ((old.active_version, old.paused_at, old.retention_days, old.split_path) is distinct from (new.active_version, new.paused_at, new.retention_days, new.split_path))
  execute function millrace.audit_row('pipeline', 'slug');
create trigger audited after insert on millrace.pipeline_version
  for each row execute function millrace.audit_row('pipeline_version', 'slug', 'graph,key_paths,entry_steps,entry_handlers');
create trigger audited after insert or delete on millrace.pipeline_share
  for each row execute function millrace.audit_row('pipeline_share', 'slug');

create trigger audited after insert or delete on millrace.schedule
  for each row execute function millrace.audit_row('schedule', 'name', 'input,former');
create trigger audited_change after update on millrace.schedule
  for each row when ((old.revision, old.paused_at, old.retired_at) is distinct from (new.revision, new.paused_at, new.retired_at))
  execute function millrace.audit_row('schedule', 'name', 'input,former');

create trigger audited after insert or delete on millrace.limit_rule
  for each row execute function millrace.audit_row('limit', 'name');
create trigger audited_change after update on millrace.limit_rule
  for each row when (old.revision is distinct from new.revision)
  execute function millrace.audit_row('limit', 'name');
create trigger audited after insert or update or delete on millrace.start_rule
  for each row execute function millrace.audit_row('start_rule', 'name');

create trigger audited after insert or delete on millrace.secret
  for each row execute function millrace.audit_row('secret', 'name');
create trigger audited_change after update on millrace.secret
  for each row when ((old.version, old.source, old.reference, old.max_age_seconds) is distinct from (new.version, new.source, new.reference, new.max_age_seconds))
  execute function millrace.audit_row('secret', 'name');

create trigger audited after insert or delete on millrace.webhook
  for each row execute function millrace.audit_row('webhook', 'name');
create trigger audited_change after update on millrace.webhook
  for each row when ((old.revision, old.retired_at) is distinct from (new.revision, new.retired_at))
  execute function millrace.audit_row('webhook', 'name');

create trigger audited after insert or delete on millrace.change_watch
  for each row execute function millrace.audit_row('watch', 'name', 'installed_columns,last_cut');
create trigger audited_change after update on millrace.change_watch
  for each row when ((old.revision, old.paused_at, old.retired_at, old.installed_digest) is distinct from (new.revision, new.paused_at, new.retired_at, new.installed_digest))
  execute function millrace.audit_row('watch', 'name', 'installed_columns,last_cut');
create trigger audited after insert on millrace.change_backfill
  for each row execute function millrace.audit_row('backfill', 'id', 'last_key');

create trigger audited after insert or delete on millrace.subscription
  for each row execute function millrace.audit_row('subscription', 'name');
create trigger audited_change after update on millrace.subscription
  for each row when ((old.revision, old.paused_at, old.retired_at) is distinct from (new.revision, new.paused_at, new.retired_at))
  execute function millrace.audit_row('subscription', 'name');

-- Those of a pipeline: what one run tells at its end is its starter's business, and part of the start.
create trigger audited after insert on millrace.callback
  for each row when (new.slug is not null) execute function millrace.audit_row('callback', 'slug');
create trigger audited_removal after delete on millrace.callback
  for each row when (old.slug is not null) execute function millrace.audit_row('callback', 'slug');

create trigger audited after insert on millrace.redrive
  for each row execute function millrace.audit_row('redrive', 'id', 'input,input_digest');
create trigger audited_change after update on millrace.redrive
  for each row when (old.aborted_at is distinct from new.aborted_at)
  execute function millrace.audit_row('redrive', 'id', 'input,input_digest');

create trigger audited after insert on millrace.erasure
  for each row execute function millrace.audit_row('erasure', 'id', 'counts');
