-- Retires a subscription: no event starts anything by it any more. Code that declares it brings it back.
create or replace function millrace.remove_subscription(name text, expected_revision int default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  known subscription;
begin
  known := lock_subscription(remove_subscription.name, remove_subscription.expected_revision);
  update subscription s set retired_at = at, paused_at = null, revision = s.revision + 1, changed_at = at, changed_by = actor() where s.id = known.id;
end $$;
comment on function millrace.remove_subscription(text, int) is 'Retires a subscription.';
