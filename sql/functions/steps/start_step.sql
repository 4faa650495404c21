-- An executor outside takes a step of a run, for lease_seconds unless it sends heartbeats. Its attempt is its token for everything after.
-- What can't be started now is answered with the reason: paused, held, what a waiting step waits for, not ready, final, or run ended.
--
-- A holder is an id that the caller makes for one hold, so that it can ask again when the answer was lost: while the hold lasts, the same
-- holder is told the same attempt, also of a paused run. It stands for that one hold for ever: for another step, or for this one after
-- its lease ran out, it is refused as holder_taken. Whoever holds again makes a new id; without one, each call is a new holder.
create or replace function millrace.start_step(
  run_id uuid, step text, held_by text default 'outside', lease_seconds int default 300, item int default -1,
  holder uuid default null)
returns table (started boolean, reason text, attempt int, item_value jsonb, lease_expires_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  definition step_definition := find_step(start_step.run_id, start_step.step, start_step.item);
begin
  perform refuse_copied_database();
  if (start_step.lease_seconds between 1 and 31536000) is not true then
    perform refuse_argument('lease_seconds', 'from 1 to 31,536,000', start_step.lease_seconds::text);
  end if;
  if (start_step.held_by <> '') is not true then
    perform refuse_argument('held_by', 'a name of at least one character', quote_literal(start_step.held_by));
  end if;
  return query
    select t.started, t.reason, t.attempt, t.item_value, t.lease_expires_at
      from take_step(start_step.run_id, definition, start_step.item, start_step.held_by, start_step.lease_seconds,
                     start_step.holder, millrace.now()) t;
  perform hear_run(start_step.run_id);
end $$;
comment on function millrace.start_step(uuid, text, text, int, int, uuid)
  is 'An executor outside takes a step of a run; the attempt is its token. The same holder, asking again, is told the same attempt.';
