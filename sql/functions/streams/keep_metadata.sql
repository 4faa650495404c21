-- Lays patches over the metadata of runs, one after the other: a name with null is taken away. A patch that would bring a run over 64 KB is
-- left out whole. Its caller holds the rows.
create or replace function millrace.keep_metadata(run_ids uuid[], kinds text[], bodies jsonb[]) returns setof int
language plpgsql
as $$
declare
  patch record;
begin
  for patch in
    select s.run_id, s.body, s.n::int as n, array(select e.key from jsonb_each(s.body) e where e.value = 'null') as gone
      from unnest(run_ids, kinds, bodies) with ordinality s(run_id, kind, body, n)
     where s.kind = 'metadata' order by s.n
  loop
    update run_metadata m set metadata = (m.metadata || patch.body) - patch.gone
     where m.run_id = patch.run_id and octet_length(((m.metadata || patch.body) - patch.gone)::text) <= 65536;
    if not found then
      return next patch.n;
    end if;
  end loop;
end $$;
comment on function millrace.keep_metadata(uuid[], text[], jsonb[]) is 'Lays patches over the metadata of runs; answers those that were too much.';
