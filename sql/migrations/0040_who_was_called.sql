-- They are told since then who was called, and how many may be.
drop function if exists millrace.count_limits(bigint[], int[], float8[], timestamptz);
drop function if exists millrace.call_waiters(bigint[], timestamptz);

alter table millrace.limit_state add column looked_at timestamptz;
comment on column millrace.limit_state.looked_at is 'Since when somebody waits for it, or when a sweep last looked whether they could be called.';
update millrace.limit_state set looked_at = changed_at where waiting;
