-- Rules on starts: debounce, throttle, latest, and a cap on what waits.

create table millrace.start_rule (
  id int generated always as identity primary key,
  slug text collate "C" not null references millrace.pipeline,
  name text collate "C" not null check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  kind text not null check (kind in ('debounce', 'throttle', 'latest', 'waiting')),
  key_paths jsonb not null default '[]' check (jsonb_typeof(key_paths) = 'array'),
  wait_ms float8 check (wait_ms between 1 and 31536000000),
  wait_most_ms float8 check (wait_most_ms between 1 and 31536000000),
  starts int check (starts between 1 and 1000),
  per_ms float8 check (per_ms between 1 and 31536000000),
  surplus text check (surplus in ('refuse', 'coalesce')),
  action text check (action in ('reject newcomer', 'cancel other')),
  most int check (most between 1 and 10000),
  coalesces boolean generated always as (kind = 'debounce' or coalesce(surplus = 'coalesce', false)) stored,
  source text not null check (source in ('code', 'operator')),
  revision int not null default 1,
  changed_at timestamptz not null,
  changed_by text not null,
  unique (slug, name),
  check ((kind = 'debounce') = (wait_ms is not null)),
  check (wait_most_ms is null or kind = 'debounce'),
  check ((kind = 'throttle') = (starts is not null) and (kind = 'throttle') = (per_ms is not null) and (kind = 'throttle') = (surplus is not null)),
  check ((kind = 'latest') = (action is not null)),
  check ((kind = 'waiting') = (most is not null))
);
comment on table millrace.start_rule is 'A rule on the starts of a pipeline, for each key and tenant: debounce, throttle, latest, or a cap on what waits.';
comment on column millrace.start_rule.key_paths is 'Paths into the input whose values are the key. Empty: one key for all starts of a tenant.';
comment on column millrace.start_rule.surplus is 'Of a throttle: what goes beyond it is refused, or becomes one later run.';
comment on column millrace.start_rule.coalesces is 'It makes one run of several starts: a pipeline has at most one such rule.';
create unique index start_rule_coalescing on millrace.start_rule (slug) where coalesces;
create unique index start_rule_latest on millrace.start_rule (slug) where kind = 'latest';

create table millrace.start_state (
  id bigint generated always as identity primary key,
  rule_id int not null,
  key text collate "C" not null,
  tenant text collate "C",
  run_id uuid,
  first_at timestamptz,
  times timestamptz[] not null default '{}',
  waiting int not null default 0 check (waiting >= 0),
  changed_at timestamptz not null,
  unique nulls not distinct (rule_id, key, tenant)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table millrace.start_state is 'What one rule on starts knows of one key of one tenant. Starts lock the states of their keys in the order of rule, key and tenant.';
comment on column millrace.start_state.run_id is 'The run that waits and takes in other starts since first_at, or the latest run of the key.';
comment on column millrace.start_state.times is 'Of a throttle: when the starts of the last window were, in their order.';
comment on column millrace.start_state.waiting is 'Of a cap on what waits: at least as many as there are pending runs; counted anew where the cap is reached.';
create index start_state_run on millrace.start_state (run_id) where run_id is not null;

create table millrace.start_ticket (
  run_id uuid not null,
  state_id bigint not null,
  primary key (state_id, run_id)
);
comment on table millrace.start_ticket is 'The runs that a cap on what waits counts, for as long as they are pending, or nobody has looked since.';
create index start_ticket_run on millrace.start_ticket (run_id);

create table millrace.coalesced_start (
  run_id uuid primary key,
  rule text collate "C" not null,
  kind text not null check (kind in ('debounce', 'throttle')),
  starts int not null default 1 check (starts > 0),
  first_at timestamptz not null,
  last_at timestamptz not null
);
comment on table millrace.coalesced_start is 'Of how many starts a run was made by a rule that makes one of several.';

create table millrace.held_start (
  run_id uuid not null,
  behind_run uuid not null,
  rule text collate "C" not null,
  available_at timestamptz,
  primary key (run_id, behind_run)
);
comment on table millrace.held_start is 'Runs that begin once the run in whose place they come has ended, and none of its handlers is at work.';
create index held_start_behind on millrace.held_start (behind_run);

alter table millrace.pipeline add column has_start_rules boolean not null default false;
comment on column millrace.pipeline.has_start_rules is 'There are rules on its starts: only then are they looked for.';
alter type millrace.start_version add attribute is_ruled boolean;

alter table millrace.waiting_task
  drop constraint waiting_task_reason_check,
  add constraint waiting_task_reason_check check (reason in ('retry', 'delayed', 'paused', 'waiting', 'limit', 'behind')),
  drop constraint waiting_task_available_check,
  add constraint waiting_task_available_check check (available_at is not null or reason in ('waiting', 'limit', 'behind'));

alter table millrace.start_rule enable row level security;
alter table millrace.start_state enable row level security;
alter table millrace.start_ticket enable row level security;
alter table millrace.coalesced_start enable row level security;
alter table millrace.held_start enable row level security;

-- What they answer has two columns more, and a registration brings the rules on starts.
drop function if exists millrace.start_runs(uuid[], text[], int[], jsonb[], smallint[], text[], jsonb[], timestamptz[], text[], int[], text, uuid, int, int, boolean, boolean, millrace.run_parent[]);
drop function if exists millrace.start_run(text, jsonb, uuid, int, int, text, jsonb, timestamptz, text, int, text);
drop function if exists millrace.register_pipeline(text, jsonb);
