-- Whether an attempt is the end of its step, or of its item, as far as the steps after it are concerned. An item that failed for good ends so
-- too: either its map tolerates it, or nothing comes after.
create or replace function millrace.is_last_attempt(outcome text, item int, retry_at timestamptz) returns boolean
language sql immutable
as $$
  select outcome in ('completed', 'skipped') or (item >= 0 and outcome in ('failed', 'reclaimed') and retry_at is null)
$$;
comment on function millrace.is_last_attempt(text, int, timestamptz) is 'Whether an attempt is the end of its step or item.';
