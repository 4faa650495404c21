-- Splits the starts of a pipeline that name no version among several, by weight. The value at `key` (a path such as user.id) decides, so that
-- the same value always gets the same version; without a key the run's own id does, and so does it where an input has no value there.
--
-- Called again with other weights, as few keys as can be change their version: keys live in 1,000 buckets, and a version whose share
-- shrinks gives up exactly as many of them as it has too many, those that it got last first. So no key leaves a version whose share stays or
-- grows, and of two versions the keys go back to where they were with the weights of before. activate_pipeline ends the split.
create or replace function millrace.split_pipeline(slug text, versions int[], weights int[], key text default null, if_revision int default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  path text[] := case when split_pipeline.key is null then '{}'::text[] else string_to_array(split_pipeline.key, '.') end;
  missing int;
  found_pipeline pipeline;
  turn int;
begin
  if coalesce(cardinality(versions), 0) not between 1 and 100 or cardinality(versions) is distinct from cardinality(weights) then
    perform refuse_argument('versions', 'a list of 1 to 100 versions, with as many weights', format('%s with %s', versions, weights));
  end if;
  if (1 <= all (weights) and 1000000 >= all (weights)) is not true then
    perform refuse_argument('weights', 'whole numbers from 1 to 1,000,000', weights::text);
  end if;
  if cardinality(versions) <> (select count(distinct v) from unnest(versions) v) then
    perform refuse_argument('versions', 'different ones', versions::text);
  end if;
  if cardinality(path) > 20 or '' = any (path) then
    perform refuse_argument('key', 'a path into the input such as user.id', quote_literal(split_pipeline.key));
  end if;
  select p.* into found_pipeline from pipeline p where p.slug = split_pipeline.slug for update;
  select v into missing from unnest(versions) v
   where not exists (select from pipeline_version known where known.slug = split_pipeline.slug and known.version = v) limit 1;
  if found then
    raise exception 'There is no version % of a pipeline ''%''.', coalesce(missing::text, 'null'), split_pipeline.slug
      using errcode = 'MR002', hint = 'List the versions with: npx millrace pipeline show NAME';
  end if;
  -- Who starts it by its name encrypts before anybody knows the version.
  if (select count(distinct coalesce(v.graph -> 'encrypt', 'null')) > 1 from pipeline_version v where v.slug = split_pipeline.slug and v.version = any (versions)) then
    raise exception 'The versions % of pipeline ''%'' are not all encrypted alike: a start that names none can''t be split among them.', versions, split_pipeline.slug
      using errcode = 'MR050', hint = 'Split among versions that are encrypted alike, or activate one of them.';
  end if;

  perform refuse_pipeline_revision(found_pipeline, split_pipeline.if_revision);
  insert into pipeline_share (slug, version, weight)
  select split_pipeline.slug, g.version, g.weight from unnest(versions, weights) g(version, weight)
      on conflict (slug, version) do update set weight = excluded.weight;
  -- At first all keys are the active version's, or the first one's where that is not among them: so those that stay keep it.
  insert into pipeline_bucket (slug, bucket, version, since)
  select split_pipeline.slug, n, case when found_pipeline.active_version = any (versions) then found_pipeline.active_version else versions[1] end, 0 from generate_series(0, 999) n
      on conflict (slug, bucket) do nothing;
  select max(since) + 1 into turn from pipeline_bucket b where b.slug = split_pipeline.slug;

  with wanted as (
    select * from split_shares(versions, weights)
  ), had as (
    select b.bucket, b.version, row_number() over (partition by b.version order by b.since, b.bucket) as place from pipeline_bucket b
     where b.slug = split_pipeline.slug
  ), freed as (
    select h.bucket, row_number() over (order by h.bucket) as place from had h left join wanted w on w.version = h.version
     where h.place > coalesce(w.buckets, 0)
  ), lacking as (
    select w.version, row_number() over (order by w.version, n) as place
      from wanted w cross join lateral generate_series(1 + (select count(*) from had h where h.version = w.version), w.buckets) n
  )
  update pipeline_bucket b set version = l.version, since = turn
    from freed f join lacking l on l.place = f.place
   where b.slug = split_pipeline.slug and b.bucket = f.bucket;
  delete from pipeline_share s where s.slug = split_pipeline.slug and s.version <> all (versions);
  update pipeline p set split_path = to_jsonb(path), split_at = millrace.now(), revision = revision + 1 where p.slug = split_pipeline.slug;
end $$;
comment on function millrace.split_pipeline(text, int[], int[], text, int) is 'Splits the starts that name no version among several, by weight and by a key that always gets the same one.';
