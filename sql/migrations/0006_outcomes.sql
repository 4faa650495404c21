-- What becomes of a step that fails, of a map's items, and of a run after its outcome is known.

alter table millrace.step_definition
  drop constraint step_definition_kind_check,
  add constraint step_definition_kind_check check (kind in (
    'step', 'map', 'sleep', 'signal', 'approval', 'call', 'http', 'sql', 'undo', 'finally', 'end')),
  add column on_error text not null default 'fail' check (on_error in ('fail', 'skip', 'fallback')),
  add column fallback jsonb,
  add column skips_with_needs boolean not null default false,
  add column concurrency int check (concurrency between 1 and 100000),
  add column fail_after_items int check (fail_after_items between 0 and 100000),
  add column fail_after_percent double precision check (fail_after_percent between 0 and 100),
  add column is_listed boolean not null default false,
  add column undoes text collate "C",
  add column follows text check (follows in ('completed', 'failed')),
  add check ((on_error = 'fallback') = (fallback is not null)),
  add check (kind in ('map', 'undo') or concurrency is null),
  add check (kind = 'map' or num_nonnulls(fail_after_items, fail_after_percent) = 0),
  add check (num_nulls(fail_after_items, fail_after_percent) > 0),
  add check ((kind = 'undo') = (undoes is not null)),
  add check ((kind = 'finally') = (follows is not null));
comment on column millrace.step_definition.on_error is 'What becomes of the step once it has no attempt left: its run fails, it is skipped, or the fallback is its output.';
comment on column millrace.step_definition.skips_with_needs is 'It is skipped where all that it needs were skipped.';
comment on column millrace.step_definition.concurrency is 'How many items of a map may be under way at once in a run; null for all.';
comment on column millrace.step_definition.fail_after_items is 'How many items of a map may fail before it fails itself; fail_after_percent in percent of its items.';
comment on column millrace.step_definition.is_listed is 'Some map that fails its run goes over its output: what is no list fails the run at once.';

alter table millrace.join_state add column failures_left int check (failures_left >= 0);
comment on column millrace.join_state.failures_left is 'How many more items of a map may fail; null where none may.';

create table millrace.map_item (
  run_id uuid not null,
  step_id int not null,
  item int not null check (item >= 0),
  item_value jsonb,
  primary key (run_id, step_id, item)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
comment on table millrace.map_item is 'Items of a map with a concurrency that wait for their turn. The lock on the map''s join_state guards them.';

alter table millrace.map_item enable row level security;

comment on column millrace.step_definition.undoes is 'The step whose effect this one undoes, where its run fails or is cancelled.';
comment on column millrace.step_definition.follows is 'The outcome of the run after which this step runs.';

alter table millrace.run
  add column outcome text check (outcome in ('completed', 'failed', 'cancelled')),
  add column outcome_error jsonb,
  add column outcome_step text collate "C",
  add column outcome_item int,
  add constraint run_outcome_error_check check (coalesce(outcome = 'failed', false) = (outcome_error is not null)),
  add constraint run_outcome_step_check check (outcome_step is null or outcome_error is not null);
comment on column millrace.run.outcome is 'What a run will end as, once what follows that has ended: its undo steps, onFailure, onSuccess. Null where nothing follows.';
comment on column millrace.run.outcome_error is 'The error of a run that failed and has not ended yet; outcome_step and outcome_item say where.';
