-- Puts bodies of deliveries that were encrypted anew into their place, where that still holds what was read. Answers how many were written.
create or replace function millrace.write_sealed_deliveries(ids uuid[], olds jsonb[], news jsonb[]) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  written int;
begin
  update delivery d set sealed_body = g.new
    from unnest(ids, olds, news) g(id, old, new)
   where d.id = any (array[g.id]) and d.sealed_body = g.old;
  get diagnostics written = row_count;
  return written;
end $$;
comment on function millrace.write_sealed_deliveries(uuid[], jsonb[], jsonb[]) is 'Puts bodies of deliveries that were encrypted anew into their place.';
