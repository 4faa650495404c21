-- The runs that make room where the oldest is cancelled: of those who hold a slot and those who wait for one, all but the newest that fit. A run of
-- which one task stays is not cancelled for another one. Who has left is taken from the list of holders (see still_held).
create or replace function millrace.find_oldest_runs(state_ids bigint[], newly_held bigint[])
returns table (run_id uuid, reason text)
language plpgsql
as $$
#variable_conflict use_column
begin
  update limit_state s set holders = still_held(s.id, s.holders, newly_held) where s.id = any (state_ids);
  return query
    with standing as (
      select s.id as state_id, t.run_id, h.n as place, null::timestamptz as queued_at, 0::bigint as waiting_id
        from limit_state s cross join unnest(s.holders) with ordinality h(id, n) join task t on t.id = any (array[h.id])
       where s.id = any (state_ids)
      union all
      select w.limit_state_id, w.run_id, 1000000, w.queued_at, w.id from waiting_task w where w.limit_state_id = any (state_ids) and not w.paused
    ), ranked as (
      select s.*, row_number() over (partition by s.state_id order by s.place desc, s.queued_at desc, s.waiting_id desc) as newest
        from standing s
       where not exists (select from cancellation c where c.run_id = s.run_id)
    )
    select distinct r.run_id, format('a newer one took its place under limit ''%s''%s', k.name, case when s.key <> '' then format(' for ''%s''', s.key) else '' end)
      from ranked r join limit_state s on s.id = any (array[r.state_id]) join limit_rule k on k.id = s.rule_id
     where r.newest > k.capacity
       and not exists (select from ranked kept where kept.run_id = r.run_id and kept.newest <= k.capacity and kept.state_id = r.state_id);
end $$;
comment on function millrace.find_oldest_runs(bigint[], bigint[]) is 'The runs that make room where the oldest is cancelled.';
