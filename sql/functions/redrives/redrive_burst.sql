-- How much of the rate of a redrive may be made up for when nobody came for a while: a second's worth, and never less than one run.
create or replace function millrace.redrive_burst(rate float8) returns interval
language sql immutable
as $$
  select make_interval(secs => greatest(1, 1 / rate))
$$;
comment on function millrace.redrive_burst(float8) is 'How much of the rate of a redrive may be made up for.';
