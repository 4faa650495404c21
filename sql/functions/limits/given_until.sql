-- Until when a rate has given times, by who is still there: whoever is cancelled, fails or is paused while it waits leaves its time to others. Where the last one
-- who got a time is still there, so is what it says; where not, the last of those who are left tells it, if they are fewer than a thousand. What has begun, or has come
-- to its time, took no more than the burst (span). The state is locked by the caller, whose settings keep this from reading all that waits.
create or replace function millrace.given_until(state_id bigint, full_until timestamptz, span interval, at timestamptz) returns timestamptz
language plpgsql stable
as $$
#variable_conflict use_column
declare
  last_at timestamptz := full_until - span;
  left_at timestamptz[];
begin
  if exists (select from waiting_task w where w.available_at = last_at and not w.paused and w.limit_state_id = given_until.state_id) then
    return full_until;
  end if;
  left_at := array(
    select w.available_at from waiting_task w
     where w.limit_state_id = given_until.state_id and w.available_at is not null and not w.paused limit 1000);
  return case when cardinality(left_at) = 1000 then full_until
              else least(full_until, greatest((select max(l.at) from unnest(left_at) l(at)), given_until.at) + span) end;
end $$;
comment on function millrace.given_until(bigint, timestamptz, interval, timestamptz) is 'Until when a rate has given times, by who is still there.';
