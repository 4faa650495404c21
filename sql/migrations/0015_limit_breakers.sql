-- Where the sweep goes on that looks for tasks which wait for a limit that has room.
create table millrace.limit_cursor (
  is_only boolean primary key default true check (is_only),
  state_id bigint not null default 0
);
comment on table millrace.limit_cursor is 'Its one row says at which limit state the sweep goes on that looks after those who wait.';
insert into millrace.limit_cursor default values;
alter table millrace.limit_cursor enable row level security;

-- Who of those that wait for a limit comes back by itself.
create index waiting_task_timed on millrace.waiting_task (limit_state_id) where limit_state_id is not null and available_at is not null;
