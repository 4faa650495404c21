-- Refuses what can be no filter of failed runs, by the name of what is wrong with it: either runs, a list of ids, or conditions, each a text.
create or replace function millrace.check_failure_filter(filter jsonb) returns void
language plpgsql stable
as $$
declare
  wrong text;
begin
  if jsonb_typeof(filter) is distinct from 'object' then
    perform millrace.refuse_argument('filter', 'a JSON object', coalesce(jsonb_typeof(filter), 'null'));
  end if;
  select key into wrong from jsonb_object_keys(filter) key
   where key not in ('runs', 'pipeline', 'tenant', 'step', 'code', 'fingerprint', 'since', 'until') limit 1;
  if found then
    perform millrace.refuse_argument('filter', 'made of runs, pipeline, tenant, step, code, fingerprint, since and until', quote_literal(left(wrong, 100)));
  end if;
  if filter ? 'runs' then
    if jsonb_typeof(filter -> 'runs') <> 'array' or filter - 'runs' <> '{}' then
      perform millrace.refuse_argument('filter', 'either a list of runs or conditions', left(filter::text, 200));
    end if;
    select r.id::text into wrong from jsonb_array_elements(filter -> 'runs') r(id)
     where jsonb_typeof(r.id) <> 'string' or r.id #>> '{}' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' limit 1;
    if found then
      perform millrace.refuse_argument('runs', 'the ids of runs', left(wrong, 100));
    end if;
    return;
  end if;
  select e.key into wrong from jsonb_each(filter) e where jsonb_typeof(e.value) not in ('string', 'null') limit 1;
  if found then
    perform millrace.refuse_argument(wrong, 'a text', left((filter -> wrong)::text, 100));
  end if;
  foreach wrong in array array['since', 'until'] loop
    begin
      perform (filter ->> wrong)::timestamptz;
    exception when data_exception then
      perform millrace.refuse_argument(wrong, 'a time', quote_literal(left(filter ->> wrong, 100)));
    end;
  end loop;
end $$;
comment on function millrace.check_failure_filter(jsonb) is 'Refuses what can be no filter of failed runs.';
