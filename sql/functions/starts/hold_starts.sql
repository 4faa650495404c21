-- Puts new runs behind the ones whose place they take: no time begins them.
create or replace function millrace.hold_starts(run_ids uuid[]) returns void
language plpgsql
as $$
begin
  update millrace.waiting_task w set reason = 'behind', available_at = null where w.run_id = any (run_ids) and w.reason = 'delayed';
  update millrace.run r set available_at = h.available_at from millrace.held_start h where r.id = any (run_ids) and h.run_id = r.id;
end $$;
comment on function millrace.hold_starts(uuid[]) is 'Puts new runs behind the ones whose place they take.';
