-- What failures have in common: the pipeline, the step, the code, and the message without what differs from case to case (ids, numbers, quoted
-- texts). It decides nothing but how failures are grouped.
create or replace function millrace.error_fingerprint(slug text, step text, error jsonb) returns text
language sql immutable parallel safe
as $$
  select left(encode(sha256(convert_to(concat_ws(E'\n', slug, coalesce(step, ''), coalesce(error ->> 'code', ''),
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(left(coalesce(error ->> 'message', ''), 1000),
      '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '#', 'g'),
      '''[^'']*''|"[^"]*"', '#', 'g'),
      '\m(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{6,}\M|[0-9]+([.,:][0-9]+)*', '#', 'g'),
      '\s+', ' ', 'g')), 'UTF8')), 'hex'), 16)
$$;
comment on function millrace.error_fingerprint(text, text, jsonb) is 'What failures of one step with one code and, but for numbers, ids and quoted texts, one message have in common.';
