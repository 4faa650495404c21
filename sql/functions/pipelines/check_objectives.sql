-- Refuses objectives that could not be judged: at most 20, each named as a metric is, with a range of numbers and perhaps a path into the output.
create or replace function millrace.check_objectives(slug text, objectives jsonb) returns void
language plpgsql immutable
as $$
declare
  bad text;
begin
  if jsonb_typeof(objectives) is distinct from 'object' or (select count(*) > 20 from jsonb_object_keys(objectives)) then
    raise exception 'The objectives of pipeline ''%'' are no object of at most 20.', slug
      using errcode = 'MR001', hint = 'Write {"confidence": {"min": 0.8}, "rows": {"max": 100, "output": ["rows"]}}.';
  end if;
  select o.name into bad
    from jsonb_each(objectives) o(name, range)
   cross join lateral (select o.range -> 'min' as least, o.range -> 'max' as most, o.range -> 'output' as path) v
   where o.name !~ '^[a-z][a-z0-9_]{0,62}$' or jsonb_typeof(o.range) <> 'object' or coalesce(v.least, v.most) is null
      or jsonb_typeof(coalesce(v.least, '0')) <> 'number' or jsonb_typeof(coalesce(v.most, '0')) <> 'number'
      or case when jsonb_typeof(v.least) = 'number' and jsonb_typeof(v.most) = 'number' then v.least::numeric > v.most::numeric else false end
      or case jsonb_typeof(coalesce(v.path, '[""]')) when 'array' then jsonb_array_length(coalesce(v.path, '[""]')) not between 1 and 20 else true end
      or jsonb_path_exists(coalesce(v.path, '[]'), 'strict $[*] ? (@.type() != "string")', silent => true)
   limit 1;
  if found then
    raise exception 'The objective ''%'' of pipeline ''%'' has no range that could be judged.', bad, slug
      using errcode = 'MR001', hint = 'Give it min, max or both, as numbers; output is a path as a list of names; its name is one of [a-z][a-z0-9_]*.';
  end if;
end $$;
comment on function millrace.check_objectives(text, jsonb) is 'Refuses objectives that could not be judged.';
