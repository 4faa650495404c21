-- The list of a map of which not all items ended, each output in its item's place.
create or replace function millrace.place_items(items int[], outputs jsonb[]) returns jsonb
language sql immutable
as $$
  select jsonb_agg(g.output order by n)
    from generate_series(0, (select max(i) from unnest(items) i)) n left join unnest(items, outputs) g(item, output) on g.item = n
$$;
comment on function millrace.place_items(int[], jsonb[]) is 'The list of a map of which not all items ended.';
