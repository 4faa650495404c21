-- What is known of deliveries that arrive: the one that was received under the same id of the same webhook and failed, and the one that has answered
-- it already, itself or a replay. Called under the locks of their ids, so that what is not found here does not come in between.
create or replace function millrace.find_deliveries(given millrace.received_delivery[])
returns table (place int, known_id uuid, answered_by uuid)
language sql stable
as $$
  select g.place, k.id, case when k.state in ('accepted', 'filtered') then k.id else r.id end
    from unnest(given) g
    left join lateral (
      select d.id, d.state from millrace.delivery d
       where g.replay_of is null and g.state <> 'refused' and d.webhook = any (array[g.webhook]) and d.provider_id = any (array[g.provider_id])
         and d.state <> 'refused' and d.replay_of is null
      union all
      -- Of this very call, whose answer was lost on the way.
      select d.id, d.state from millrace.delivery d where d.id = any (array[g.id])
       limit 1) k on true
    left join lateral (
      -- Its sender came again between the look at it and now.
      select d.id from millrace.delivery d
       where d.id = any (array[g.replay_of]) and g.seen_state = 'failed' and d.state in ('accepted', 'filtered') and not coalesce(g.again, false)
      union all
      select d.id from millrace.delivery d
       where g.state <> 'refused' and d.replay_of = any (array[coalesce(g.replay_of, k.id)]) and d.state in ('accepted', 'filtered')
         and not coalesce(g.again, false)
       limit 1) r on true
$$;
comment on function millrace.find_deliveries(millrace.received_delivery[]) is 'What is known of deliveries that arrive: the same one, and what has answered it.';
