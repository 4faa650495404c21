-- Up to which change the next batch of a watch goes: the first ones by id that neither are held nor wait behind one that is, and on until no transaction is cut in two. A transaction of more than
-- three batches is cut nevertheless, and goes in parts, in its order. Null where there is none.
--
-- What is seen is committed, and what comes later has its turn later: a change is deleted when it is told, so none is passed over, whatever the
-- order of the numbers. Of two transactions that changed one row the second waited for the first, so its number is higher, and the first is seen
-- wherever the second is: the order of the numbers is the order of the commits, for each row.
create or replace function millrace.end_of_batch(watch_id int, most int, at timestamptz) returns bigint
language plpgsql stable
as $$
#variable_conflict use_variable
declare
  ids bigint[];
  transactions xid8[];
  cut bigint;
  further bigint;
  held jsonb := millrace.held_places(watch_id, at);
begin
  select array_agg(c.id order by c.id), array_agg(c.transaction order by c.id) into ids, transactions
    from (select c.id, c.transaction from millrace.change c where c.watch_id = end_of_batch.watch_id and (c.held_until is null or c.held_until <= at)
             and not millrace.waits_behind(held, c.tenant, c.key, c.id)
           order by c.id limit most * 3) c;
  cut := ids[least(most, cardinality(ids))];
  loop
    select max(t.last_id) into further
      from (select max(u.id) as last_id from unnest(ids, transactions) u(id, transaction) group by u.transaction having min(u.id) <= cut) t;
    exit when further = cut or further is null;
    cut := further;
  end loop;
  if cardinality(ids) = most * 3 and cut = ids[most * 3] then
    -- Those before the large one first.
    select max(u.id) into further from unnest(ids, transactions) u(id, transaction)
     where u.id < (select min(g.id) from unnest(ids, transactions) g(id, transaction) where g.transaction = transactions[most * 3]);
    cut := coalesce((select further where not exists (
      select from unnest(ids, transactions) u(id, transaction) group by u.transaction having min(u.id) <= further and max(u.id) > further)), cut);
  end if;
  return cut;
end $$;
comment on function millrace.end_of_batch(int, int, timestamptz) is 'Up to which change the next batch of a watch goes.';
