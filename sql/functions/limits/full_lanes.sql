-- The handlers whose ready tasks wait for a limit where they are (see claim_in_lanes): more workers would do nothing for them. Between an end and the next claim they still
-- do; what no live worker serves waits for one.
create or replace function millrace.full_lanes() returns int[]
language sql stable security definer set search_path = millrace, pg_temp
as $$
  select coalesce(array_agg(distinct l.handler), '{}')
    from limit_rule k
    join limit_state s on s.rule_id = k.id and s.key = ''
    join limited_step l on l.rule_id = k.id
   where k.in_lanes and s.left_at is not null and (is_left_full(s, k.capacity) or left_until(s) > millrace.now() - interval '2 seconds')
     and l.handler = any (served_handlers(millrace.now()))
$$;
comment on function millrace.full_lanes() is 'The handlers whose ready tasks wait for a limit where they are.';
