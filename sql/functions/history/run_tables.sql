-- The small tables whose rows stay as long as their run does: they leave the history with it.
create or replace function millrace.run_tables() returns text[]
language sql immutable parallel safe
as $$
  select array['approval', 'signal', 'redrive_item', 'run_lineage', 'secret_read', 'start_ticket', 'coalesced_start', 'held_start', 'failure_streak', 'change_run', 'callback', 'callback_delivery', 'unsuccessful_run']
$$;
comment on function millrace.run_tables() is 'The small tables whose rows stay as long as their run does.';
