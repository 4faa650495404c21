-- The one clock of Millrace: read once a statement, never from a worker or a setting. Test databases replace it.
create or replace function millrace.now() returns timestamptz
language plpgsql stable parallel safe
as $$
begin
  return clock_timestamp();
end $$;
comment on function millrace.now() is 'The one clock: every lease and due time is reckoned by it.';
