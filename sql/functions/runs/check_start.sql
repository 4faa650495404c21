-- Refuses the start of a pipeline or version that is not there.
create or replace function millrace.check_start(slug text, version int) returns void
language plpgsql stable
as $$
#variable_conflict use_column
begin
  perform 1 from millrace.pipeline p
    join millrace.pipeline_version v on v.slug = p.slug and v.version = coalesce(check_start.version, p.active_version)
   where p.slug = check_start.slug;
  if not found then
    raise exception 'There is no pipeline ''%''%.', coalesce(check_start.slug, 'null'),
      case when check_start.version is null then '' else format(' of version %s', check_start.version) end
      using errcode = 'MR002', hint = 'Register it: start a worker that serves it, or call register_pipeline.';
  end if;
end $$;
comment on function millrace.check_start(text, int) is 'Refuses the start of a pipeline or version that is not there.';
