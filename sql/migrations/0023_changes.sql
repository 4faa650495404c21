-- Changes of the application's own tables that start runs.

create table millrace.change_watch (
  id int generated always as identity primary key,
  name text collate "C" not null unique check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  slug text collate "C" not null references millrace.pipeline,
  table_schema text collate "C" not null,
  table_name text collate "C" not null,
  tenant text collate "C" check (length(tenant) between 1 and 200),
  settings jsonb not null check (jsonb_typeof(settings) = 'object'),
  source text not null check (source in ('code', 'operator')),
  revision int not null default 1,
  changed_at timestamptz not null,
  changed_by text not null,
  paused_at timestamptz,
  retired_at timestamptz,
  look_at timestamptz,
  served_at timestamptz,
  installed_at timestamptz,
  installed_by text,
  installed_digest text,
  installed_relation oid,
  installed_columns jsonb,
  runs_started bigint not null default 0,
  changes_told bigint not null default 0,
  changes_dropped bigint not null default 0,
  loops_cut bigint not null default 0,
  last_cut jsonb,
  check ((installed_at is not null) = (installed_digest is not null) and (installed_at is not null) = (installed_by is not null)
     and (installed_at is not null) = (installed_relation is not null) and (installed_at is not null) = (installed_columns is not null)),
  check (tenant is null or settings ? 'tenant_column')
);
comment on table millrace.change_watch is 'Which tables of the application start which pipelines by their changes, and what of that is installed there.';
comment on column millrace.change_watch.tenant is 'Whose it is: it gets only rows that hold this tenant. Null: an operator''s.';
comment on column millrace.change_watch.retired_at is 'Code does not declare it any more: its changes start nothing; its triggers go with the next: npx millrace watch apply';
comment on column millrace.change_watch.look_at is 'What is left of its changes is not to be looked at before.';
comment on column millrace.change_watch.installed_digest is 'Of the statements that made its function and triggers; another one now is drift.';
comment on column millrace.change_watch.changes_dropped is 'Changes that came to nothing together: a row that came and went within the time in which they are gathered.';
create index change_watch_slug on millrace.change_watch (slug);

create table millrace.change (
  id bigint generated always as identity,
  watch_id int not null,
  transaction xid8 not null,
  operation text not null check (operation in ('insert', 'update', 'delete', 'truncate', 'backfill')),
  tenant text collate "C",
  key jsonb,
  old jsonb,
  new jsonb,
  left_out jsonb,
  at timestamptz not null,
  origin text collate "C",
  held_until timestamptz,
  held_reason text,
  -- One index of all rows: each is paid for by every writer. No foreign key either: nobody who writes may wait for whoever changes a watch.
  primary key (watch_id, id)
) with (autovacuum_vacuum_scale_factor = 0.02);
comment on table millrace.change is 'Changes that were committed and have not started their run yet; a row is deleted by the transaction that starts the run.';
comment on column millrace.change.left_out is 'Columns whose values are not in it, and why: unchanged, or too large.';
comment on column millrace.change.origin is 'The run whose step wrote it, as the transaction says; only to find loops.';
comment on column millrace.change.held_reason is 'Why its run was not started yet; it is tried again at held_until.';

-- No writer pays for it: nothing is held when it is recorded.
create index change_held on millrace.change (watch_id, id) where held_until is not null;

create table millrace.change_run (
  run_id uuid primary key,
  watch_id int not null,
  tenant text collate "C",
  key jsonb,
  depth int not null check (depth between 0 and 16),
  origin_run uuid,
  ordered_key text collate "C"
);
comment on table millrace.change_run is 'Which run was started by a change, and by a change of which run''s making: how loops are found.';
comment on column millrace.change_run.ordered_key is 'The digest of tenant and key, where runs of one key come one after the other.';
create index change_run_ordered on millrace.change_run (watch_id, ordered_key, run_id) where ordered_key is not null;

create table millrace.change_gap (
  id bigint generated always as identity primary key,
  watch_id int not null,
  transaction xid8 not null,
  at timestamptz not null,
  sqlstate text not null,
  message text not null
);
comment on table millrace.change_gap is 'Changes that could not be recorded, of watches that let the writer go on then.';
create index change_gap_watch on millrace.change_gap (watch_id, at);

create table millrace.change_backfill (
  id int generated always as identity primary key,
  watch_id int not null references millrace.change_watch on delete cascade,
  condition text not null,
  state text not null default 'open' check (state in ('open', 'done', 'cancelled', 'failed')),
  rows_expected bigint not null check (rows_expected >= 0),
  rows_done bigint not null default 0,
  last_key jsonb,
  error text,
  created_at timestamptz not null,
  created_by text not null,
  finished_at timestamptz,
  check ((finished_at is not null) = (state <> 'open')),
  check ((error is not null) = (state = 'failed'))
);
comment on table millrace.change_backfill is 'Rows that are there already, told to a watch batch by batch as if they had changed.';
create index change_backfill_watch on millrace.change_backfill (watch_id);
create index change_backfill_open on millrace.change_backfill (id) where state = 'open';

alter table millrace.change_watch enable row level security;
alter table millrace.change enable row level security;
alter table millrace.change_run enable row level security;
alter table millrace.change_gap enable row level security;
alter table millrace.change_backfill enable row level security;
