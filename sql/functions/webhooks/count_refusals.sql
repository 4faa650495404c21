-- Counts refused requests by webhook, minute and reason, and answers the places of those that are kept as deliveries: twenty of a reason a minute,
-- so that nobody fills the disk. Those to names that no webhook has are counted under the empty name, and none of them is kept.
create or replace function millrace.count_refusals(places int[], webhooks text[], reasons text[], at timestamptz) returns int[]
language plpgsql
as $$
#variable_conflict use_column
declare
  kept_most constant int := 20;
  kept int[];
begin
  with given as (
    select g.place, g.webhook, g.reason, row_number() over same as number, count(*) over (partition by g.webhook, g.reason) as total
      from unnest(places, webhooks, reasons) g(place, webhook, reason)
    window same as (partition by g.webhook, g.reason order by g.place)
  ), counted as (
    insert into millrace.webhook_refusal as r (webhook, minute, reason, refused)
    select g.webhook, date_trunc('minute', at), g.reason, count(*) from given g group by g.webhook, g.reason order by g.webhook, g.reason
        on conflict (webhook, minute, reason) do update set refused = r.refused + excluded.refused
    returning r.webhook, r.reason, r.refused
  )
  select array_agg(g.place) into kept
    from given g join counted c on c.webhook = g.webhook and c.reason = g.reason
   where g.webhook <> '' and c.refused - g.total + g.number <= kept_most;
  return coalesce(kept, '{}');
end $$;
comment on function millrace.count_refusals(int[], text[], text[], timestamptz) is 'Counts refused requests, and answers the places of those that are kept as deliveries.';
