-- Turns between keys, and strict order by key.

alter table millrace.limit_rule
  drop constraint limit_rule_kind_check,
  add constraint limit_rule_kind_check check (kind in ('concurrency', 'rate', 'breaker', 'fairness')),
  add column weights jsonb check (jsonb_typeof(weights) = 'object'),
  add column default_weight int check (default_weight between 1 and 1000),
  add column fifo text check (fifo in ('block', 'pass')),
  add constraint limit_rule_fairness_check check ((kind = 'fairness') = (weights is not null) and (kind = 'fairness') = (default_weight is not null)),
  add constraint limit_rule_fifo_alone_check check (fifo is null or (kind = 'concurrency' and capacity = 1 and strategy = 'wait'));
comment on column millrace.limit_rule.weights is 'Of fairness: how many tasks a key begins each turn; default_weight for those that are not named.';
comment on column millrace.limit_rule.fifo is 'Of a concurrency of one in strict order: whether who is first keeps its place until it has ended (block), or gives it up with its slot (pass).';

-- A task is where claims look in one of two indexes: in the order of its priority and id, or, with a key, in the lane of its key.
alter table millrace.task
  add column turn_key text collate "C";
comment on column millrace.task.turn_key is 'The key between which its handler''s tasks take turns (see pick_turns). Null where they take none, and where nobody has given it one yet.';
drop index millrace.task_claim;
create index task_claim on millrace.task (handler, priority, id) where worker_id is null and turn_key is null;
create index task_turn on millrace.task (handler, priority, turn_key, id) where worker_id is null and turn_key is not null;

alter table millrace.waiting_task
  add column turn_key text collate "C";
comment on column millrace.waiting_task.turn_key is 'Of a task that waits for a limit: the key that it had where claims look.';
create index waiting_task_turn on millrace.waiting_task (limit_state_id, priority, turn_key, queued_at, id)
  where limit_state_id is not null and turn_key is not null;

alter table millrace.limit_state
  add column head_run uuid,
  add column head_step int,
  add column head_item int,
  add column head_since timestamptz,
  add column turn_key text collate "C",
  add column turn_taken int not null default 0 check (turn_taken >= 0),
  add constraint limit_state_head_check check (num_nulls(head_run, head_step, head_item, head_since) in (0, 4));
comment on column millrace.limit_state.head_run is 'Of a strict order: the task that is first in it, since head_since; with head_step and head_item.';
comment on column millrace.limit_state.turn_key is 'The key whose task was called last, where those who wait for it take turns; turn_taken of its turn are called.';

create table millrace.turn_handler (
  handler int primary key references millrace.handler on delete cascade,
  key_paths jsonb check (jsonb_typeof(key_paths) = 'array'),
  input_path text[]
);
comment on table millrace.turn_handler is 'Handlers of which tasks take turns, or may have taken some: their claims look at the lanes of keys.';
comment on column millrace.turn_handler.key_paths is 'The key that starts bring along, as in limit_rule; null where tasks get it later, or none any more.';

create table millrace.turn_cursor (
  handler int not null references millrace.turn_handler on delete cascade,
  priority smallint not null check (priority between 1 and 9),
  seat int not null check (seat between 1 and 8),
  turn_key text collate "C" not null,
  taken int not null check (taken >= 0),
  moved_at timestamptz not null,
  primary key (handler, priority, seat)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table millrace.turn_cursor is 'How far the turns between keys have come: claims at the same time each have a seat of their own, one after the other the same one.';

alter type millrace.start_version add attribute is_fair boolean;

alter table millrace.turn_handler enable row level security;
alter table millrace.turn_cursor enable row level security;
