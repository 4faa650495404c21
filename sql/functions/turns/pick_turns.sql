-- Locks up to so many tasks of a handler at one priority, turn by turn between their keys: of each key as many as its weight, then of the next,
-- from where the last claim ended. Its cost grows with what it picks, not with what lies there: the next key is one look into the index.
--
-- Claims at the same time take different seats, each going round on its own, so that none waits for another one's; where all are taken, a claim begins
-- with the first key. Where few keys are there, each gives several turns at once.
create or replace function millrace.pick_turns(handler int, level smallint, most int, at timestamptz) returns bigint[]
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  place turn_cursor;
  told_weights jsonb;
  usual_weight int;
  own_weight int;
  keys text[];
  more text[];
  weights int[];
  spent int[];
  total bigint;
  rounds int;
  picked bigint[];
  last_key text;
  last_taken int;
begin
  if (select true from task t
       where t.handler = pick_turns.handler and t.priority = level and t.turn_key >= '' and t.worker_id is null
       order by t.turn_key limit 1) is null then
    return array[]::bigint[];
  end if;
  -- Where there is no rule any more, what it has left goes on by turns of one.
  select k.weights, k.default_weight into told_weights, usual_weight
    from limited_step l join limit_rule k on k.id = l.rule_id
   where l.handler = pick_turns.handler and k.kind = 'fairness' order by k.id limit 1;
  usual_weight := coalesce(usual_weight, 1);
  select c.* into place from turn_cursor c where c.handler = pick_turns.handler and c.priority = level order by c.seat limit 1 for update skip locked;
  if not found then
    insert into turn_cursor (handler, priority, seat, turn_key, taken, moved_at)
    select f.handler, level, s.seat, '', 0, at from turn_handler f cross join generate_series(1, 8) s(seat) where f.handler = pick_turns.handler order by s.seat
        on conflict do nothing;
    select c.* into place from turn_cursor c where c.handler = pick_turns.handler and c.priority = level order by c.seat limit 1 for update skip locked;
    place.turn_key := coalesce(place.turn_key, '');
    place.taken := coalesce(place.taken, 0);
  end if;
  own_weight := coalesce((told_weights ->> place.turn_key)::int, usual_weight);

  -- The keys from there on, then those before: one look for each.
  with recursive next_key as (
    (select t.turn_key from task t
      where t.handler = pick_turns.handler and t.priority = level and t.turn_key >= place.turn_key and t.worker_id is null
        and (t.turn_key, t.id) > (place.turn_key, case when place.taken < own_weight then 0 else 9223372036854775807 end)
      order by t.turn_key, t.id limit 1)
    union all
    select n.turn_key from next_key k
     cross join lateral (
       select t.turn_key from task t
        where t.handler = pick_turns.handler and t.priority = level and t.turn_key > k.turn_key and t.worker_id is null
        order by t.turn_key limit 1) n
  )
  select array_agg(l.turn_key) into keys from (select k.turn_key from next_key k limit most) l;
  if coalesce(cardinality(keys), 0) < most then
    with recursive next_key as (
      (select t.turn_key from task t
        where t.handler = pick_turns.handler and t.priority = level and t.turn_key >= '' and t.turn_key <= place.turn_key and t.worker_id is null
        order by t.turn_key limit 1)
      union all
      select n.turn_key from next_key k
       cross join lateral (
         select t.turn_key from task t
          where t.handler = pick_turns.handler and t.priority = level and t.turn_key > k.turn_key and t.turn_key <= place.turn_key and t.worker_id is null
          order by t.turn_key limit 1) n
    )
    select array_agg(l.turn_key) into more
      from (select k.turn_key from next_key k where k.turn_key is distinct from keys[1] limit most - coalesce(cardinality(keys), 0)) l;
    keys := keys || more;
  end if;

  -- No more keys than can begin something now: what is locked here, other claims pass over.
  select array_agg(s.key order by s.n), array_agg(s.weight order by s.n), array_agg(s.spent order by s.n), sum(s.weight - s.spent)
    into keys, weights, spent, total
    from (select w.*, sum(w.weight - w.spent) over (order by w.n) - (w.weight - w.spent) as before
            from (select k.key, k.n, coalesce((told_weights ->> k.key)::int, usual_weight) as weight,
                         case when k.n = 1 and k.key = place.turn_key and place.taken < own_weight then place.taken else 0 end as spent
                    from unnest(keys) with ordinality k(key, n)) w) s
   where s.before < most;
  rounds := greatest(1, ceil(most::float8 / total));
  with found_tasks as (
    select f.id, k.key, k.n, k.weight, k.spent + row_number() over (partition by k.n order by f.id) - 1 as place
      from unnest(keys, weights, spent) with ordinality k(key, weight, spent, n)
     cross join lateral (
       select t.id from task t
        where t.handler = pick_turns.handler and t.priority = level and (t.turn_key, t.id) > (k.key, 0::bigint) and t.turn_key <= k.key and t.worker_id is null
        order by t.turn_key, t.id limit k.weight * rounds - k.spent for no key update skip locked) f
  ), ordered as (
    select f.id, f.key, f.place % f.weight + 1 as taken from found_tasks f order by f.place / f.weight, f.n, f.place limit most
  )
  select array_agg(o.id), (array_agg(o.key))[count(*)], (array_agg(o.taken))[count(*)] into picked, last_key, last_taken from ordered o;
  if place.seat is not null and picked is not null then
    update turn_cursor c set turn_key = last_key, taken = last_taken, moved_at = at
     where c.handler = pick_turns.handler and c.priority = level and c.seat = place.seat;
  end if;
  return coalesce(picked, array[]::bigint[]);
end $$;
comment on function millrace.pick_turns(int, smallint, int, timestamptz) is 'Locks tasks of a handler at one priority, turn by turn between their keys.';
