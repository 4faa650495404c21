-- The versions that a batch of starts is about, each once, with what a start of it needs. Most batches are of one pipeline: then
-- nothing is grouped row by row. An unknown pipeline or version is an error that names it.
create or replace function millrace.find_start_versions(slugs text[], versions int[]) returns millrace.start_version[]
language plpgsql stable
as $$
#variable_conflict use_column
declare
  given_slugs text[] := slugs[1:1];
  given_versions int[] := versions[1:1];
  found_versions millrace.start_version[];
  unknown record;
begin
  if (slugs[1] = all (slugs) and versions[1] = all (versions)) is not true then
    select array_agg(g.slug), array_agg(g.version) into given_slugs, given_versions
      from (select distinct u.slug, u.version from unnest(slugs, versions) u(slug, version)) g;
  end if;
  found_versions := array(
    select row (g.slug, g.version, v.version, v.entry_steps, v.entry_handlers, v.key_paths, v.has_joins, p.paused_at is not null,
                g.version is null and p.split_path is not null, v.is_encrypted, p.has_start_rules,
                exists (select from millrace.turn_handler f where f.handler = any (v.entry_handlers)))::millrace.start_version
      from unnest(given_slugs, given_versions) g(slug, version)
      join millrace.pipeline p on p.slug = g.slug
      join millrace.pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version));
  if cardinality(found_versions) < cardinality(given_slugs) then
    select g.slug, g.version into unknown from unnest(given_slugs, given_versions) g(slug, version)
     where not exists (select from unnest(found_versions) f where f.slug = g.slug and f.version is not distinct from g.version) limit 1;
    raise exception 'There is no pipeline ''%''%.', coalesce(unknown.slug, 'null'),
      case when unknown.version is null then '' else format(' of version %s', unknown.version) end
      using errcode = 'MR002', hint = 'Register it: start a worker that serves it, or call register_pipeline.';
  end if;
  return found_versions;
end $$;
comment on function millrace.find_start_versions(text[], int[]) is 'The versions that a batch of starts is about, with what a start of each needs.';
