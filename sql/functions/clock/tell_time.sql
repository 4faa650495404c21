-- A time as sentences tell it: in UTC, whatever the session's time zone is.
create or replace function millrace.tell_time(at timestamptz) returns text
language sql stable parallel safe
as $$
  select to_char(at at time zone 'UTC', 'YYYY-MM-DD "at" HH24:MI:SS.MS "UTC"')
$$;
comment on function millrace.tell_time(timestamptz) is 'A time as sentences tell it.';
