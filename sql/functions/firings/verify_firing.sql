-- Settles what a look at a completed firing's expectation came to. Only who has it at hand does: taken_until is the verify_at that take_verifications
-- gave. What is so is verified. What is not yet so, or could not be asked, is looked at again after as long as it took until now, a minute at the
-- most, and a last time at its deadline; then it is unverified, and so is what is_final says can't change. Answers the state, or null where somebody
-- else has it.
create or replace function millrace.verify_firing(firing_id bigint, taken_until timestamptz, is_met boolean, seen jsonb, is_final boolean default false)
returns text
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  known firing;
  deadline timestamptz;
  told jsonb;
  next_state text := 'completed';
begin
  if verify_firing.is_met is null then
    perform refuse_argument('is_met', 'true or false', null);
  end if;
  if jsonb_typeof(verify_firing.seen) is distinct from 'object' or length(verify_firing.seen::text) > 10000 then
    perform refuse_argument('seen', 'a JSON object of at most 10,000 characters', left(verify_firing.seen::text, 100));
  end if;
  select f.* into known from firing f
   where f.id = verify_firing.firing_id and f.state = 'completed' and f.verify_at = verify_firing.taken_until
     for update;
  if not found then
    return null;
  end if;
  deadline := known.ended_at + make_interval(secs => coalesce(known.verify_within_ms, 600000) / 1000.0);
  told := verify_firing.seen || jsonb_build_object('met', verify_firing.is_met, 'looks', coalesce((known.verification ->> 'looks')::int, 0) + 1, 'at', at);
  if verify_firing.is_met then
    next_state := 'verified';
  elsif coalesce(verify_firing.is_final, false) or at >= deadline then
    next_state := 'unverified';
  end if;
  update firing f
     set state = next_state, verification = told,
         verified_at = case when next_state <> 'completed' then at end,
         closed_at = case when next_state <> 'completed' then at end,
         unsettled = next_state <> 'completed',
         verify_at = case when next_state = 'completed' then
           least(deadline, at + least(greatest(at - known.ended_at, interval '1 second'), interval '1 minute')) end
   where f.id = known.id;
  if next_state <> 'completed' then
    insert into event (run_id, at, actor, kind, detail)
    select known.run_id, at, 'millrace', 'firing.' || next_state, told || jsonb_build_object('schedule', s.name, 'firing', known.id)
      from schedule s where s.id = known.schedule_id;
  end if;
  return next_state;
end $$;
comment on function millrace.verify_firing(bigint, timestamptz, boolean, jsonb, boolean) is 'Settles what a look at a completed firing''s expectation came to; answers its state.';
