-- Refuses a rule that would read what a pipeline encrypts, and so count all of its tasks under one key.
create or replace function millrace.check_limit_clear(rule millrace.limit_rule, targets jsonb) returns void
language plpgsql stable
as $$
declare
  found_target record;
begin
  select p.slug, read.path into found_target
    from jsonb_to_recordset(targets) t(slug text)
    join millrace.pipeline p on p.slug = t.slug
    join millrace.pipeline_version v on v.slug = p.slug and v.version = p.active_version
   cross join lateral (
     select k.path from jsonb_array_elements(rule.key_paths) k(path) union all select rule.units_path where rule.units_path is not null) read
   where v.graph ? 'encrypt' and read.path <> '["$tenant"]' and not coalesce(v.graph #> '{encrypt,clear}' @> jsonb_build_array(read.path), false)
   limit 1;
  if found then
    raise exception 'Limit ''%'' reads %, which pipeline ''%'' encrypts.', rule.name, found_target.path, found_target.slug
      using errcode = 'MR060', hint = 'Name it in encrypt.clear of the pipeline, or count by something else.';
  end if;
end $$;
comment on function millrace.check_limit_clear(millrace.limit_rule, jsonb) is 'Refuses a rule that would read what a pipeline encrypts.';
