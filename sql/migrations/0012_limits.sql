-- Limits: rules on how many tasks may run at once, or begin in a time, by key.

create table millrace.limit_rule (
  id int generated always as identity primary key,
  name text collate "C" not null unique check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  kind text not null check (kind in ('concurrency', 'rate', 'breaker')),
  key_paths jsonb not null default '[]' check (jsonb_typeof(key_paths) = 'array'),
  input_path text[],
  capacity int check (capacity between 1 and 1000000),
  strategy text check (strategy in ('wait', 'cancel_oldest', 'reject_newest')),
  unit_ms float8 check (unit_ms between 0.001 and 31536000000),
  burst int check (burst between 1 and 1000000),
  units_path jsonb check (jsonb_typeof(units_path) = 'array'),
  failures int check (failures between 1 and 1000),
  window_ms float8 check (window_ms between 1 and 31536000000),
  cooldown_ms float8 check (cooldown_ms between 1 and 31536000000),
  source text not null check (source in ('code', 'operator')),
  revision int not null default 1,
  changed_at timestamptz not null,
  changed_by text not null,
  check ((kind = 'concurrency') = (capacity is not null) and (kind = 'concurrency') = (strategy is not null)),
  check (strategy is distinct from 'cancel_oldest' or capacity <= 100),
  check ((kind = 'rate') = (unit_ms is not null) and (kind = 'rate') = (burst is not null)),
  check (units_path is null or kind = 'rate'),
  check ((kind = 'breaker') = (failures is not null) and (kind = 'breaker') = (window_ms is not null) and (kind = 'breaker') = (cooldown_ms is not null))
);
comment on table millrace.limit_rule is 'A rule on how many tasks may run at once (concurrency), begin in a time (rate), or go on where others fail (breaker), for each key.';
comment on column millrace.limit_rule.key_paths is 'Paths into the input whose values are the key; ["$tenant"] is the run''s tenant, ["$item", …] leads into the item of a map. Empty: one count for all.';
comment on column millrace.limit_rule.input_path is 'The one path, where there is only one and it leads into the input.';
comment on column millrace.limit_rule.unit_ms is 'Time that one unit takes up: 1,000 ms divided by the units a second.';
comment on column millrace.limit_rule.burst is 'How many units may begin at once after a rest.';
comment on column millrace.limit_rule.units_path is 'Path to the number of units that a task takes; one where there is none.';

create table millrace.limit_target (
  rule_id int not null references millrace.limit_rule on delete cascade,
  slug text collate "C",
  step text collate "C",
  queue text collate "C",
  unique nulls not distinct (rule_id, slug, step, queue),
  check (slug is not null or queue is not null),
  check (step is null or slug is not null)
);
comment on table millrace.limit_target is 'What a rule holds for: a pipeline, one of its steps, a queue, or a queue of a pipeline; versions do not matter.';

create table millrace.limited_step (
  step_id int not null references millrace.step_definition,
  rule_id int not null references millrace.limit_rule on delete cascade,
  handler int not null references millrace.handler,
  primary key (step_id, rule_id)
);
comment on table millrace.limited_step is 'Which rules hold for which steps, worked out whenever a rule or a version is defined, so that a claim looks up one row.';
create index limited_step_rule on millrace.limited_step (rule_id);
create index limited_step_handler on millrace.limited_step (handler);

create table millrace.limit_state (
  id bigint generated always as identity primary key,
  rule_id int not null,
  key text collate "C" not null,
  used int not null default 0 check (used >= 0),
  waiting boolean not null default false,
  full_until timestamptz,
  holders bigint[],
  failed_at timestamptz[],
  open_until timestamptz,
  probe_id bigint,
  held_until timestamptz,
  changed_at timestamptz not null,
  unique (rule_id, key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table millrace.limit_state is 'What one rule counts for one key. A claim locks the states that it needs in the order of their ids.';
comment on column millrace.limit_state.used is 'How many held tasks have it among their holds: of a concurrency rule, the slots in use.';
comment on column millrace.limit_state.waiting is 'Tasks may wait for it: who gives something back looks for them.';
comment on column millrace.limit_state.full_until is 'Of a rate: the theoretical arrival time of the next unit (generic cell rate algorithm).';
comment on column millrace.limit_state.holders is 'Where the oldest is cancelled: the tasks that took a slot, the oldest first; who has left may still stand there.';
comment on column millrace.limit_state.failed_at is 'Of a closed breaker: when tasks failed within its window, the last one last.';
comment on column millrace.limit_state.open_until is 'Of a breaker that has opened: when a probe may go; probe_id is the task that is the probe.';
comment on column millrace.limit_state.held_until is 'A handler asked to be left alone until then: nothing of this key begins.';
create index limit_state_waiting on millrace.limit_state (id) where waiting;

alter table millrace.task
  add column holds bigint[];
comment on column millrace.task.holds is 'Ids of the limit states that it has taken; of a task that nobody holds: that it was called from the queue of one (and the rates that it has a time of).';

alter table millrace.waiting_task
  add column holds bigint[],
  add column limit_state_id bigint references millrace.limit_state,
  add column queued_at timestamptz,
  drop constraint waiting_task_reason_check,
  add constraint waiting_task_reason_check check (reason in ('retry', 'delayed', 'paused', 'waiting', 'limit')),
  drop constraint waiting_task_check2,
  add constraint waiting_task_available_check check (available_at is not null or reason in ('waiting', 'limit')),
  add constraint waiting_task_limit_check check (reason <> 'limit' or (limit_state_id is not null and queued_at is not null));
comment on column millrace.waiting_task.limit_state_id is 'The limit that it waits for, since queued_at; with available_at where the time is known.';
create index waiting_task_limit on millrace.waiting_task (limit_state_id, priority, queued_at, id) where limit_state_id is not null;

alter table millrace.limit_rule enable row level security;
alter table millrace.limit_target enable row level security;
alter table millrace.limited_step enable row level security;
alter table millrace.limit_state enable row level security;
