-- When a week of the history begins, by what its partitions are called after.
create or replace function millrace.week_begins(week text) returns timestamptz
language sql stable
as $$
  select to_date(week, 'IYYY"w"IW')::timestamp at time zone 'UTC'
$$;
comment on function millrace.week_begins(text) is 'When a week of the history begins.';
