-- The version of each start of a batch: the one that it names, or, where its pipeline is split, the one of its key's bucket; null where the
-- active one is meant. A start whose input has no value at the path is decided by its run's id.
create or replace function millrace.split_starts(run_ids uuid[], slugs text[], versions int[], inputs jsonb[]) returns int[]
language plpgsql stable
as $$
#variable_conflict use_column
declare
  split_versions int[];
  mixed text;
begin
  split_versions := array(
    select coalesce(g.version, b.version)
      from unnest(run_ids, slugs, versions, inputs) with ordinality g(id, slug, version, input, n)
      left join (select s.slug, array(select jsonb_array_elements_text(s.split_path)) as path from millrace.pipeline s where s.split_path is not null) p
        on p.slug = g.slug and g.version is null
      left join millrace.pipeline_bucket b
        on b.slug = p.slug
       and b.bucket = millrace.split_bucket(p.slug, coalesce(case when p.path <> '{}' then nullif(millrace.clear_input(g.input) #> p.path, 'null') end #>> '{}', g.id::text))
     order by g.n);
  -- A split that an earlier release kept may mix versions that are encrypted with others, and a step would get what it can't read.
  select g.slug into mixed from unnest(slugs, versions, split_versions, inputs) g(slug, named, version, input)
    join millrace.pipeline_version v on v.slug = g.slug and v.version = g.version and not v.is_encrypted
   where g.named is null and g.input ? '$encrypted' and millrace.is_sealed(g.input)
     and exists (select from millrace.pipeline_share s join millrace.pipeline_version w on w.slug = s.slug and w.version = s.version
                  where s.slug = g.slug and w.is_encrypted)
   limit 1;
  if found then
    raise exception 'The starts of pipeline ''%'' are split among versions that are not all encrypted alike, and this one came encrypted for one that is not.', mixed
      using errcode = 'MR050', hint = 'Activate one of the versions, or split among such as are encrypted alike.';
  end if;
  return split_versions;
end $$;
comment on function millrace.split_starts(uuid[], text[], int[], jsonb[]) is 'The version of each start of a batch, where pipelines are split.';
