-- A subscription as it is given, checked.
create or replace function millrace.read_subscription(name text, settings jsonb, source text) returns millrace.subscription
language plpgsql stable
as $$
#variable_conflict use_column
declare
  wanted millrace.subscription;
begin
  if (read_subscription.name ~ '^[A-Za-z][A-Za-z0-9_.:-]{0,199}$') is not true then
    perform millrace.refuse_argument('name', 'a letter, then letters, digits and _ . : -, at most 200', quote_literal(left(read_subscription.name, 200)));
  end if;
  if jsonb_typeof(settings) is distinct from 'object' or exists (
       select from jsonb_object_keys(settings) k where k not in ('event', 'pipeline', 'tenant', 'filter', 'map')) then
    perform millrace.refuse_argument('settings', 'an object of event, pipeline, tenant, filter and map', left(settings::text, 200));
  end if;
  if (length(settings ->> 'event') between 1 and 200) is not true then
    perform millrace.refuse_argument('event', 'a text of 1 to 200 characters', quote_literal(left(settings ->> 'event', 200)));
  end if;
  if length(settings ->> 'tenant') not between 1 and 200 then
    perform millrace.refuse_argument('tenant', 'a text of 1 to 200 characters', quote_literal(left(settings ->> 'tenant', 200)));
  end if;
  if jsonb_typeof(settings -> 'filter') not in ('object', 'null') or pg_column_size(settings -> 'filter') > 16384 then
    perform millrace.refuse_argument('filter', 'an object of at most 16,384 bytes', left(settings ->> 'filter', 200));
  end if;
  if jsonb_typeof(settings -> 'map') = 'object' then
    if exists (select from jsonb_each(settings -> 'map') f
                where jsonb_typeof(f.value) <> 'array' or jsonb_array_length(case when jsonb_typeof(f.value) = 'array' then f.value else '[]' end) not between 1 and 20
                   or exists (select from jsonb_array_elements(case when jsonb_typeof(f.value) = 'array' then f.value else '[]' end) p where jsonb_typeof(p) <> 'string'))
       or (select count(*) from jsonb_object_keys(settings -> 'map')) > 100 then
      perform millrace.refuse_argument('map', 'an object of at most 100 fields, each with a path as a list of 1 to 20 names', left(settings ->> 'map', 200));
    end if;
  elsif jsonb_typeof(settings -> 'map') <> 'null' then
    perform millrace.refuse_argument('map', 'an object', left(settings ->> 'map', 200));
  end if;
  if not exists (select from millrace.pipeline p where p.slug = settings ->> 'pipeline') then
    raise exception 'There is no pipeline ''%''.', coalesce(left(settings ->> 'pipeline', 100), 'null')
      using errcode = 'MR002', hint = 'List the pipelines with: npx millrace pipeline list';
  end if;
  wanted.name := read_subscription.name;
  wanted.event := settings ->> 'event';
  wanted.slug := settings ->> 'pipeline';
  wanted.tenant := settings ->> 'tenant';
  wanted.filter := nullif(settings -> 'filter', 'null');
  wanted.input_paths := nullif(settings -> 'map', 'null');
  wanted.source := read_subscription.source;
  return wanted;
end $$;
comment on function millrace.read_subscription(text, jsonb, text) is 'A subscription as it is given, checked.';
