-- The version of each start of a batch: the one that it names, or, where its pipeline is split, the one of its key's bucket; null where the
-- active one is meant. A start whose input has no value at the path is decided by its run's id.
create or replace function millrace.split_starts(run_ids uuid[], slugs text[], versions int[], inputs jsonb[]) returns int[]
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return array(
    select coalesce(g.version, b.version)
      from unnest(run_ids, slugs, versions, inputs) with ordinality g(id, slug, version, input, n)
      left join (select s.slug, array(select jsonb_array_elements_text(s.split_path)) as path from millrace.pipeline s where s.split_path is not null) p
        on p.slug = g.slug and g.version is null
      left join millrace.pipeline_bucket b
        on b.slug = p.slug
       and b.bucket = millrace.split_bucket(p.slug, coalesce(case when p.path <> '{}' then nullif(millrace.clear_input(g.input) #> p.path, 'null') end #>> '{}', g.id::text))
     order by g.n);
end $$;
comment on function millrace.split_starts(uuid[], text[], int[], jsonb[]) is 'The version of each start of a batch, where pipelines are split.';
