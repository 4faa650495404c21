-- Takes away what was emitted, and worked off, more than 30 days ago, and subscriptions that were retired and are named by nothing any more.
create or replace function millrace.prune_events(batch int, at timestamptz) returns boolean
language plpgsql
as $$
#variable_conflict use_column
declare
  deleted int;
begin
  delete from emitted_event e where e.id = any (array(
    select old.id from emitted_event old where old.settled_at < prune_events.at - interval '30 days' order by old.settled_at limit prune_events.batch));
  get diagnostics deleted = row_count;
  delete from subscription s where s.retired_at < prune_events.at - interval '30 days'
     and not exists (select from event_start g where g.subscription_id = s.id);
  return deleted >= prune_events.batch;
end $$;
comment on function millrace.prune_events(int, timestamptz) is 'Takes away what was emitted and worked off more than 30 days ago; true where there is more.';
