-- Forgets waits whose step has ended without them. What was asked of people is closed.
create or replace function millrace.drop_waits(wait_ids bigint[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  signal_waits bigint[];
begin
  if wait_ids = '{}' then
    return;
  end if;
  with dropped as (
    delete from wait w where w.id = any (wait_ids) returning w.*
  ), closed as (
    update approval a set state = 'cancelled', decided_at = greatest(at, a.created_at)
      from dropped w join step_definition d on d.id = w.step_id
     where w.kind = 'approval' and a.run_id = w.run_id and a.step = d.step and a.item = w.item and a.name = w.name and a.state = 'open'
  )
  select array_agg(w.id) into signal_waits from dropped w where w.kind = 'signal';
  if signal_waits is not null then
    delete from wait_signal where wait_id = any (signal_waits);
  end if;
end $$;
comment on function millrace.drop_waits(bigint[], timestamptz) is 'Forgets waits whose step has ended without them.';
