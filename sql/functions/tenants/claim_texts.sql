-- The texts of a list that a claim holds, at the path that a setting names, at most a hundred; of one text, that one. None, where there is something else.
create or replace function millrace.claim_texts(claims jsonb, setting_name text) returns text[]
language sql stable
as $$
  select array(
    select t.told #>> '{}'
      from setting s cross join lateral jsonb_path_query(
        claims #> array(select jsonb_array_elements_text(case when jsonb_typeof(s.value) = 'array' then s.value else '[]' end)), 'lax $[*]') t(told)
     where s.name = setting_name and jsonb_typeof(s.value) = 'array' and s.value <> '[]' and jsonb_typeof(t.told) = 'string'
     limit 100)
$$;
comment on function millrace.claim_texts(jsonb, text) is 'The texts of a list that a claim holds, at the path that a setting names.';
