-- Retry policies by class of error, allowances of retries, and pausing after failures.

alter table millrace.step_definition
  add column retry_rules jsonb check (jsonb_typeof(retry_rules) = 'array'),
  add column retry_pacing text check (retry_pacing in ('wait', 'fail'));
comment on column millrace.step_definition.retry_rules is 'What differs from its retry policy for certain errors: the first rule whose error is that of the failure counts.';
comment on column millrace.step_definition.retry_pacing is 'What becomes of its retries beyond the allowance of its pipeline: they wait for their share, or the step fails. Null without an allowance.';

alter table millrace.pipeline_version
  add column pause_after int generated always as ((graph -> 'pause_after')::int) stored check (pause_after between 1 and 1000000);
comment on column millrace.pipeline_version.pause_after is 'How many runs in a row may fail before their run key, or the pipeline where it has none, is paused; null for any number.';

create table millrace.retry_allowance (
  slug text collate "C" primary key references millrace.pipeline,
  allowed int not null check (allowed > 0),
  counted_at timestamptz not null,
  full_until timestamptz not null
) with (fillfactor = 50);
comment on table millrace.retry_allowance is 'How far a pipeline has used up the retries that it allows itself; there is a row once one has failed.';
comment on column millrace.retry_allowance.allowed is 'How many retries are free in the length of time that the allowance is for, worked out at counted_at.';
comment on column millrace.retry_allowance.full_until is 'The theoretical arrival time of the next retry (generic cell rate algorithm).';

create table millrace.failure_streak (
  id bigint generated always as identity primary key,
  slug text collate "C" not null references millrace.pipeline,
  tenant text collate "C",
  key text collate "C",
  failures int not null check (failures >= 0),
  run_id uuid not null,
  failed_at timestamptz not null,
  paused_at timestamptz,
  -- The tenant last: it is compared with "is not distinct from", which no index can look up.
  unique nulls not distinct (slug, key, tenant),
  check (failures > 0 or paused_at is not null),
  check (key is not null or (tenant is null and paused_at is null))
) with (fillfactor = 50);
comment on table millrace.failure_streak is 'Failures in a row, of a run key or of a pipeline without one, where its version says after how many to pause. A success removes the row.';
comment on column millrace.failure_streak.run_id is 'The run that failed last.';
comment on column millrace.failure_streak.paused_at is 'Since when starts of the key are refused; a pipeline without a run key is paused itself.';
create index failure_streak_run on millrace.failure_streak (run_id);
create index failure_streak_paused on millrace.failure_streak (paused_at) where paused_at is not null;

alter table millrace.retry_allowance enable row level security;
alter table millrace.failure_streak enable row level security;
