-- The run that is said to have made a change; null where that is none's id.
create or replace function millrace.origin_run(origin text) returns uuid
language sql immutable
as $$
  select case when origin ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then origin::uuid end
$$;
comment on function millrace.origin_run(text) is 'The run that is said to have made a change.';
