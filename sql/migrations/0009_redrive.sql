-- What redriving, forking and rerunning keep: what failures have in common, the operations, and which run came of which.

alter table millrace.dead_letter add column fingerprint text collate "C";
comment on column millrace.dead_letter.fingerprint is 'The same for failures of one step with one code and, but for numbers, ids and quoted texts, one message. Null for those from before it was kept.';
create index dead_letter_fingerprint on millrace.dead_letter (fingerprint, failed_at);

create table millrace.redrive (
  id uuid primary key,
  idempotency_key text unique check (length(idempotency_key) between 1 and 500),
  filter jsonb not null check (jsonb_typeof(filter) = 'object'),
  restart text not null check (restart in ('failed', 'start', 'step')),
  step text collate "C",
  version text not null check (version in ('original', 'latest')),
  input jsonb,
  input_digest bytea,
  reason text,
  rate float8 check (rate between 0.001 and 1000000),
  total int not null default 0 check (total >= 0),
  done int not null default 0 check (done >= 0),
  refused int not null default 0 check (refused >= 0),
  paced_at timestamptz not null,
  created_at timestamptz not null,
  created_by text not null,
  finished_at timestamptz,
  aborted_at timestamptz,
  aborted_by text,
  check ((restart = 'step') = (step is not null)),
  check (done + refused <= total),
  check (input is null or input_digest is not null),
  check ((aborted_at is null) = (aborted_by is null)),
  check (aborted_at is null or finished_at is not null)
) with (fillfactor = 80);
comment on table millrace.redrive is 'An order of a person to give failed runs fresh attempts: which of them, how, and how far it is. Workers carry it out.';
comment on column millrace.redrive.input is 'The input that takes the place of the one that the run had; null where that stays, and once it is done. input_digest tells it from others.';
comment on column millrace.redrive.rate is 'How many runs a second, by the database''s clock; null for as fast as it goes.';
comment on column millrace.redrive.paced_at is 'Up to when its rate has been used up.';
comment on column millrace.redrive.finished_at is 'When nothing was left to do, or when it was aborted.';
create index redrive_open on millrace.redrive (created_at) where finished_at is null;

create table millrace.redrive_item (
  run_id uuid not null,
  redrive_id uuid not null,
  failed_at timestamptz,
  state text not null default 'open' check (state in ('open', 'done', 'refused')),
  tries int not null default 0,
  reason text,
  detail text,
  new_run_id uuid,
  primary key (run_id, redrive_id),
  check ((state = 'refused') = (reason is not null)),
  check (new_run_id is null or state = 'done')
) with (fillfactor = 70);
comment on table millrace.redrive_item is 'A failed run that a redrive is about, and what became of it. No foreign key: ten thousand of them come with one call.';
comment on column millrace.redrive_item.failed_at is 'Which failure of the run is meant: one that came later is another.';
comment on column millrace.redrive_item.new_run_id is 'The run that took its place; null where it goes on itself.';
create index redrive_item_state on millrace.redrive_item (redrive_id, state, tries, run_id);

create table millrace.run_lineage (
  run_id uuid primary key,
  of_run uuid not null,
  kind text not null check (kind in ('redrive', 'fork', 'rerun')),
  step text collate "C",
  input_difference jsonb check (jsonb_typeof(input_difference) = 'array'),
  reason text,
  redrive_id uuid references millrace.redrive on delete set null,
  created_at timestamptz not null,
  created_by text not null,
  check (kind = 'redrive' or redrive_id is null),
  check (kind <> 'fork' or step is not null)
);
comment on table millrace.run_lineage is 'Runs that were made of another one: to redrive it, to fork it at a step, or to run it again.';
comment on column millrace.run_lineage.step is 'From which step on it is done again; null for from the start, or from where it had failed.';
comment on column millrace.run_lineage.input_difference is 'Where its input is another one: a list of path, before and after.';
create index run_lineage_of on millrace.run_lineage (of_run, created_at);
create unique index run_lineage_redrive on millrace.run_lineage (of_run) where kind = 'redrive';
create index run_lineage_redrive_id on millrace.run_lineage (redrive_id) where redrive_id is not null;

-- A step that is redriven may ask people again under the same name.
alter table millrace.approval drop constraint approval_run_id_step_item_name_key;
create unique index approval_open_once on millrace.approval (run_id, step, item, name) where state = 'open';
create index approval_of_step on millrace.approval (run_id, step, item, name);

alter table millrace.redrive enable row level security;
alter table millrace.redrive_item enable row level security;
alter table millrace.run_lineage enable row level security;

-- These take the revision that a person saw as a further argument.
drop function if exists millrace.cancel_run(uuid, text, boolean);
drop function if exists millrace.pause_run(uuid, text);
drop function if exists millrace.resume_run(uuid);
drop function if exists millrace.pause_pipeline(text, text);
drop function if exists millrace.resume_pipeline(text);
drop function if exists millrace.activate_pipeline(text, int);
drop function if exists millrace.split_pipeline(text, int[], int[], text);
