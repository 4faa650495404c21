-- Deliveries as they are given, each with its place. One to a webhook that is retired is refused, whoever signed it. The same one twice is no list:
-- neither would find the other, and both would start.
create or replace function millrace.read_deliveries(deliveries jsonb) returns millrace.received_delivery[]
language plpgsql stable
as $$
#variable_conflict use_column
declare
  given millrace.received_delivery[];
  unknown text;
  ids bigint;
  different bigint;
begin
  if jsonb_typeof(deliveries) is distinct from 'array' or jsonb_array_length(deliveries) not between 1 and 1000 then
    perform millrace.refuse_argument('deliveries', 'a list of 1 to 1,000 deliveries', left(deliveries::text, 100));
  end if;
  select array_agg(row(g.place, r.id, r.webhook, r.provider_id, r.tenant,
                       case when w.retired_at is null then r.state else 'refused' end,
                       case when w.retired_at is null then r.status else 404 end,
                       case when w.retired_at is null then r.reason else 'retired' end,
                       r.problem, r.content_type, r.headers, r.source_ip,
                       case when w.retired_at is null then r.sealed_body end,
                       r.body_bytes, r.body_digest, case when w.retired_at is null then r.replay_of end, r.seen_state, r.again)::millrace.received_delivery order by g.place),
         min(r.webhook) filter (where w.name is null and (r.state <> 'refused' or r.webhook <> '')),
         count(k.id) filter (where r.state <> 'refused'), count(distinct r.webhook || ' ' || k.id) filter (where r.state <> 'refused')
    into given, unknown, ids, different
    from jsonb_array_elements(deliveries) with ordinality g(given, place)
   cross join lateral jsonb_populate_record(null::millrace.received_delivery, g.given) r
   cross join lateral (select coalesce(r.provider_id, r.replay_of::text) as id) k
    left join millrace.webhook w on w.name = any (array[r.webhook]);
  if unknown is not null then
    raise exception 'There is no webhook ''%''.', left(unknown, 100) using errcode = 'MR120', hint = 'List those that there are with: npx millrace webhook list';
  end if;
  if different < ids then
    perform millrace.refuse_argument('deliveries', 'a list in which no two are the same', format('one with %s that stand in it already', ids - different));
  end if;
  return given;
end $$;
comment on function millrace.read_deliveries(jsonb) is 'Deliveries as they are given, each with its place; one to a webhook that is retired is refused.';
