-- Wakes sleeping workers when this transaction commits. NOTIFY takes a lock that is global to the server, so nobody is notified
-- unless somebody said that it sleeps; a start in a caller's own transaction can't know who sleeps at its commit and always notifies.
create or replace function millrace.wake_workers(always boolean) returns void
language plpgsql
as $$
begin
  if always or exists (select from millrace.worker where sleeping) then
    perform pg_notify('millrace_wake', '');
  end if;
end $$;
comment on function millrace.wake_workers(boolean) is 'Wakes sleeping workers when this transaction commits.';
