-- Refuses the key of a batch that SQL can't read: what is no list of paths, leads into items where there are none, or into what is encrypted.
create or replace function millrace.check_batch_key(slug text, graph jsonb, step jsonb) returns void
language plpgsql immutable
as $$
declare
  batch_key jsonb := step #> '{batch,key}';
  bad text;
begin
  perform millrace.check_key(slug, batch_key);
  select format('Step ''%s'' of pipeline ''%s'' has a batch whose key %s.', step ->> 'name', slug, o.fault) into bad
    from (values
      (batch_key = '[]', 'has no path'),
      (exists (select from jsonb_array_elements(batch_key) path
                where path ->> 0 like '$%' and not (path ->> 0 = '$item' or path = '["$tenant"]')), 'leads neither into the input nor into $item or $tenant'),
      (step ->> 'kind' is distinct from 'map' and exists (select from jsonb_array_elements(batch_key) path where path ->> 0 = '$item'), 'leads into items, and it is no map'),
      (graph ? 'encrypt' and exists (
        select from jsonb_array_elements(batch_key) path
         where path <> '["$tenant"]' and not coalesce(graph #> '{encrypt,clear}' @> jsonb_build_array(path), false)), 'is encrypted')) o(is_wrong, fault)
   where o.is_wrong limit 1;
  if found then
    raise exception '%', bad
      using errcode = 'MR001', hint = 'Write each path as a list of names: [["account"]], [["$tenant"]] or, in a map, [["$item", "host"]]; name it in encrypt.clear of an encrypted pipeline.';
  end if;
end $$;
comment on function millrace.check_batch_key(text, jsonb, jsonb) is 'Refuses the key of a batch that SQL can''t read.';
