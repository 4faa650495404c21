-- Ends of limited tasks that the next claim counts, so that who ends many tasks and who claims many don't wait for each other's commit.

alter table millrace.limit_state
  add column folded bigint check (folded >= 0);
comment on column millrace.limit_state.used is 'How many held tasks have it among their holds: of a concurrency rule, the slots in use. Where ends have seats, less what these have beyond folded.';
comment on column millrace.limit_state.folded is 'How many of the ends in its seats are taken off what is used already. Null where it has no seats.';

create table millrace.limit_end (
  state_id bigint not null references millrace.limit_state on delete cascade,
  seat smallint not null check (seat between 1 and 8),
  ended bigint not null default 0 check (ended >= 0),
  primary key (state_id, seat)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table millrace.limit_end is 'Where a limit has many slots in use: how many tasks that held one have ended, in seats of which each transaction takes a free one. It only ever grows.';
alter table millrace.limit_end enable row level security;

-- What it counts comes in the order of its states now.
drop function if exists millrace.count_limits(bigint[], float8[], timestamptz);
