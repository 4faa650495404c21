-- Has a subscription start nothing, or start again: what is emitted while it is paused is written down as refused. True where that changed it.
create or replace function millrace.pause_subscription(name text, paused boolean default true, expected_revision int default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  known subscription;
begin
  known := lock_subscription(pause_subscription.name, pause_subscription.expected_revision);
  if (known.paused_at is not null) = pause_subscription.paused then
    return false;
  end if;
  update subscription s set paused_at = case when pause_subscription.paused then at end, revision = s.revision + 1, changed_at = at, changed_by = actor()
   where s.id = known.id;
  return true;
end $$;
comment on function millrace.pause_subscription(text, boolean, int) is 'Has a subscription start nothing, or start again; true where that changed it.';
