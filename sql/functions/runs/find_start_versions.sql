-- The versions that a batch of starts is about, each once, with what a start of it needs. Most batches are of one pipeline: then
-- nothing is grouped row by row. An unknown pipeline or version is an error that names it.
create or replace function millrace.find_start_versions(slugs text[], versions int[])
returns table (slug text, version int, resolved int, entry_steps int[], entry_handlers int[], key_paths jsonb, joins boolean, paused boolean)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  given_slugs text[] := slugs[1:1];
  given_versions int[] := versions[1:1];
  asked record;
begin
  if (slugs[1] = all (slugs) and versions[1] = all (versions)) is not true then
    select array_agg(g.slug), array_agg(g.version) into given_slugs, given_versions
      from (select distinct u.slug, u.version from unnest(slugs, versions) u(slug, version)) g;
  end if;
  for asked in select * from unnest(given_slugs, given_versions) u(slug, version) loop
    select p.slug, asked.version, v.version, v.entry_steps,
           array(select d.handler from unnest(v.entry_steps) with ordinality e(id, n) join millrace.step_definition d on d.id = e.id order by e.n),
           v.key_paths,
           exists (select from millrace.step_definition d where d.slug = v.slug and d.version = v.version and cardinality(d.needs) > 1),
           p.paused_at is not null
      into slug, version, resolved, entry_steps, entry_handlers, key_paths, joins, paused
      from millrace.pipeline p
      join millrace.pipeline_version v on v.slug = p.slug and v.version = coalesce(asked.version, p.active_version)
     where p.slug = asked.slug;
    if not found then
      raise exception 'There is no pipeline ''%''%.', coalesce(asked.slug, 'null'),
        case when asked.version is null then '' else format(' of version %s', asked.version) end
        using errcode = 'MR002', hint = 'Register it: start a worker that serves it, or call register_pipeline.';
    end if;
    return next;
  end loop;
end $$;
comment on function millrace.find_start_versions(text[], int[]) is 'The versions that a batch of starts is about, with what a start of each needs.';
