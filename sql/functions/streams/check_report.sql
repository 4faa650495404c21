-- Refuses what an executor outside says where it can't be kept, as src/core/reports.ts does for steps in TypeScript.
create or replace function millrace.check_report(kind text, body jsonb) returns void
language plpgsql stable
as $$
declare
  is_kept boolean;
  allowed text;
begin
  case kind
    when 'progress' then
      allowed := 'like {"done": 40, "total": 120, "note": "page 3"}';
      is_kept := jsonb_typeof(body) = 'object' and body @? 'strict $.done ? (@ >= 0)' and jsonb_typeof(body -> 'done') = 'number'
        and jsonb_typeof(coalesce(nullif(body -> 'total', 'null'), '0')) = 'number' and not body @? 'strict $.total ? (@ < 0)';
    when 'metadata' then
      allowed := 'an object of at most 64 KB';
      is_kept := jsonb_typeof(body) = 'object' and octet_length(body::text) <= 65536;
    when 'metric' then
      allowed := 'like {"name": "members_found", "value": 7, "labels": {"source": "web"}}, with 5 short labels at most';
      is_kept := jsonb_typeof(body) = 'object' and body ->> 'name' ~ '^[a-z][a-z0-9_]{0,62}$' and jsonb_typeof(body -> 'value') = 'number'
        and case when jsonb_typeof(coalesce(body -> 'labels', '{}')) = 'object' then
          (select count(*) <= 5 and coalesce(bool_and(l.key ~ '^[a-z][a-z0-9_]{0,62}$' and jsonb_typeof(l.value) = 'string'
                    and length(l.value #>> '{}') <= 100), true)
             from jsonb_each(coalesce(body -> 'labels', '{}')) l)
          else false end;
    when 'part' then
      allowed := 'a JSON value of at most 64 KB';
      is_kept := octet_length(body::text) <= 65536;
    else
      perform refuse_argument('kind', 'progress, metadata, metric or part', kind);
  end case;
  if is_kept is not true then
    perform refuse_argument('body', allowed, left(body::text, 200));
  end if;
end $$;
comment on function millrace.check_report(text, jsonb) is 'Refuses what an executor outside says where it can''t be kept.';
