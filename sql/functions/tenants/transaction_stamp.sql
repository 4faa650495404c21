-- What tells one transaction of this session from all others: when it began, and in which process.
create or replace function millrace.transaction_stamp() returns text
language sql stable
as $$
  select pg_backend_pid() || ' ' || extract(epoch from transaction_timestamp())
$$;
comment on function millrace.transaction_stamp() is 'What tells one transaction of this session from all others.';
