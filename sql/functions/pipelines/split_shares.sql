-- How many of the 1,000 buckets each weight is worth: each its share, rounded so that they add up (the largest remainders first), and
-- at least one.
create or replace function millrace.split_shares(versions int[], weights int[])
returns table (version int, buckets int)
language sql immutable
as $$
  with exact as (
    select g.version, 1000.0 * g.weight / sum(g.weight) over () as share from unnest(versions, weights) g(version, weight)
  ), least as (
    select e.version, e.share, greatest(1, floor(e.share))::int as buckets from exact e
  ), ranked as (
    select l.*, 1000 - sum(l.buckets) over () as left_over,
           row_number() over (order by l.share - l.buckets desc, l.version) as place,
           row_number() over (order by l.buckets desc, l.version) as largest
      from least l
  )
  -- Rounding up to one bucket may give out too many: the largest share gives them back.
  select r.version, r.buckets + case when r.left_over > 0 and r.place <= r.left_over then 1 when r.left_over < 0 and r.largest = 1 then r.left_over::int else 0 end
    from ranked r order by r.version
$$;
comment on function millrace.split_shares(int[], int[]) is 'How many of the 1,000 buckets each weight is worth.';
