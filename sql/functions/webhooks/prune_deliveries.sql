-- Removes deliveries beyond the days for which their webhook keeps them, refused ones after a week at most, and the counts of refusals with them.
-- True where there may be more.
create or replace function millrace.prune_deliveries(batch int default 1000) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  deleted int;
  more boolean := false;
begin
  delete from delivery where id = any (array(
    select o.id from webhook w cross join lateral (
      (select d.id from delivery d where d.webhook = w.name and d.received_at < at - make_interval(days => w.kept_days) order by d.received_at limit batch)
      union all
      (select d.id from delivery d
        where d.webhook = w.name and d.state = 'refused' and d.received_at < at - interval '7 days' order by d.received_at limit batch)) o
     limit batch));
  get diagnostics deleted = row_count;
  more := deleted >= batch;
  delete from webhook_refusal r where (r.webhook, r.minute, r.reason) in (
    select o.webhook, o.minute, o.reason from webhook_refusal o where o.minute < at - interval '7 days' order by o.minute limit batch);
  get diagnostics deleted = row_count;
  return more or deleted >= batch;
end $$;
comment on function millrace.prune_deliveries(int) is 'Removes deliveries beyond the days for which they are kept; true where there may be more.';
