-- Fires slots of the past, or again those that came to nothing: a slot whose run was started is left as it is. They are queued beside the slots of
-- the present, which they never stand in the way of, and begin one after another; with overlap "allow" all at once, stagger_ms apart. Dry, nothing is
-- written. Answers how many slots are to be fired, and how many had been.
create or replace function millrace.backfill_schedule(
  name text, slots timestamptz[], overlap text default 'queue_all', stagger_ms int default 0, dry_run boolean default false)
returns table (queued int, fired_before int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  known schedule;
begin
  if backfill_schedule.slots is null or cardinality(backfill_schedule.slots) > 10000 or array_position(backfill_schedule.slots, null) is not null then
    perform refuse_argument('slots', 'a list of at most 10,000 times', coalesce(cardinality(backfill_schedule.slots)::text, 'null'));
  end if;
  if (backfill_schedule.overlap in ('queue_all', 'allow')) is not true then
    perform refuse_argument('overlap', 'queue_all or allow', quote_nullable(backfill_schedule.overlap));
  end if;
  if (backfill_schedule.stagger_ms between 0 and 86400000) is not true then
    perform refuse_argument('stagger_ms', 'from 0 to 86,400,000', backfill_schedule.stagger_ms::text);
  end if;
  if exists (select from unnest(backfill_schedule.slots) g(slot) where g.slot > at) then
    perform refuse_argument('slots', 'times of the past', 'one that is ahead');
  end if;
  known := lock_schedule(backfill_schedule.name);
  select count(distinct g.slot) into fired_before
    from unnest(backfill_schedule.slots) g(slot)
    join firing f on f.schedule_id = known.id and f.slot_at = g.slot and f.slots = 1 and f.state not in ('skipped', 'missed') and f.reason is distinct from 'no_start';
  if dry_run then
    select count(distinct g.slot) - fired_before into queued from unnest(backfill_schedule.slots) g(slot);
    return next;
    return;
  end if;
  insert into firing as f (schedule_id, slot_at, kind, overlap, state, due_at, begins_at, fired_at, fired_by, expect, verify_within_ms, deadline_at)
  select known.id, g.slot, 'backfill', backfill_schedule.overlap, 'queued', at,
         case when backfill_schedule.stagger_ms > 0 then at + make_interval(secs => backfill_schedule.stagger_ms / 1000.0 * (row_number() over (order by g.slot) - 1)) end,
         at, actor(), known.expect, known.verify_within_ms, null
    from (select distinct u.slot from unnest(backfill_schedule.slots) u(slot)) g
   order by g.slot
      on conflict (schedule_id, slot_at) where slots = 1 do update
     set kind = 'backfill', overlap = excluded.overlap, state = 'queued', reason = null, refusal = null, blocked_by = null, error = null, due_at = excluded.due_at,
         begins_at = excluded.begins_at, fired_at = excluded.fired_at, fired_by = excluded.fired_by, closed_at = null, unsettled = false,
         expect = excluded.expect, verify_within_ms = excluded.verify_within_ms, deadline_at = null, overdue_at = null
   where f.state in ('skipped', 'missed') or f.reason = 'no_start';
  get diagnostics queued = row_count;
  perform write_audit('schedule.backfilled', 'schedule', known.name, jsonb_build_object('queued', queued, 'overlap', backfill_schedule.overlap));
  if not admit_in_time(known.id, at) then
    perform admit_firings(array[known.id], at);
  end if;
  return next;
end $$;
comment on function millrace.backfill_schedule(text, timestamptz[], text, int, boolean) is 'Fires slots of the past; answers how many, and how many had been fired before.';
