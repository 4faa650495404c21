-- Runs ended without what they had called: those of their attached children that are live are to be cancelled. What can be locked is, now;
-- a child that somebody has at hand is left to the next sweep. So who holds a parent never waits for a child, while a child that ends may
-- wait for its parent.
create or replace function millrace.cancel_children(parent_ids uuid[], reason text, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  insert into cancellation (run_id, reason, asked_at)
  select r.id, cancel_children.reason, at from run r
   where r.parent_run_id = any (parent_ids) and not r.detached and r.finished_at is null
      on conflict (run_id) do nothing;
  if found then
    perform carry_out_cancellations(1000, at);
  end if;
end $$;
comment on function millrace.cancel_children(uuid[], text, timestamptz) is 'Cancels what ended runs had called.';
