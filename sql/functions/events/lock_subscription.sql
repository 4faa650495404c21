-- The subscription of a name, locked for a change.
create or replace function millrace.lock_subscription(name text, expected_revision int) returns millrace.subscription
language plpgsql
as $$
#variable_conflict use_column
declare
  known millrace.subscription;
begin
  select s.* into known from millrace.subscription s where s.name = lock_subscription.name and s.retired_at is null for update;
  if not found then
    raise exception 'There is no subscription ''%''.', left(lock_subscription.name, 200)
      using errcode = 'MR131', hint = 'List them with: npx millrace subscription list';
  end if;
  perform millrace.refuse_subscription_revision(lock_subscription.name, known, lock_subscription.expected_revision);
  return known;
end $$;
comment on function millrace.lock_subscription(text, int) is 'The subscription of a name, locked for a change.';
