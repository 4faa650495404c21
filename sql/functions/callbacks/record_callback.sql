-- Writes down what came of one attempt of a delivery, and decides what follows: delivered by 2xx; given up by 410, which disables its callback, by
-- what no later attempt would change, after 12 attempts, or when the next one would be later than 3 days after it was queued; else sent again
-- after 10 s, and four times as long after each further one, 6 h at most, by a fifth more or less as the draw says; after as long as was asked
-- for by a 429 or 503, a day at most. Who answers for an earlier claim is written down, and decides nothing.
-- Where a host gives no answer, or asks for time, what else is due there waits for 10 s, so that it holds up no other host.
-- A worker that lacks the secret has called nobody: that says nothing of the host, and within an hour counts as no attempt, so that another worker has its turn.
create or replace function millrace.record_callback(
  delivery_id uuid, claim int, status int, reason text, duration_ms int, is_final boolean, retry_after_ms bigint, draw double precision) returns text
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  sent callback_delivery;
  told text := left(coalesce(record_callback.reason, 'it answered with ' || record_callback.status), 200);
  next_at timestamptz;
  verdict text;
  is_unsigned boolean := record_callback.status is null
    and coalesce(record_callback.reason ~ '^(secret_|encryption_key_missing|decryption_failed)', false);
  is_spared boolean;
begin
  -- A callback before its deliveries, in each function that locks both.
  if record_callback.status = 410 then
    perform 1 from callback c where c.id = (select d.callback_id from callback_delivery d where d.id = record_callback.delivery_id) for update;
  end if;
  select d.* into sent from callback_delivery d where d.id = record_callback.delivery_id for update;
  if not found then
    return 'gone';
  end if;
  insert into callback_attempt (delivery_id, number, at, duration_ms, status, reason)
  values (sent.id, record_callback.claim, at, greatest(0, record_callback.duration_ms), record_callback.status, left(record_callback.reason, 200))
      on conflict do nothing;
  delete from callback_attempt a where a.delivery_id = sent.id and a.number <= record_callback.claim - 50;
  if sent.claims <> record_callback.claim or sent.due_at is null then
    return 'stale';
  end if;
  is_spared := is_unsigned and at < sent.queued_at + interval '1 hour';
  next_at := at + greatest(
    case when is_spared then greatest(interval '10 seconds', (at - sent.queued_at) / 4)
         else least(interval '10 seconds' * 4 ^ least(sent.attempts, 10), interval '6 hours') end * (0.8 + 0.4 * record_callback.draw),
    case when record_callback.status in (429, 503) and record_callback.retry_after_ms is not null then make_interval(secs => least(record_callback.retry_after_ms, 86400000) / 1000.0) end);
  verdict := case
    when record_callback.status between 200 and 299 then 'delivered'
    when record_callback.status = 410 then 'disabled'
    when record_callback.is_final or sent.attempts >= 11 or next_at > sent.queued_at + interval '3 days' then 'given_up'
    else 'again' end;
  update callback_delivery d
     set attempts = d.attempts + case when is_spared then 0 else 1 end,
         due_at = case when verdict = 'again' then next_at end,
         delivered_at = case when verdict = 'delivered' then at end,
         given_up_at = case when verdict in ('disabled', 'given_up') then at end,
         reason = case when verdict <> 'delivered' then told end
   where d.id = sent.id;
  if verdict = 'again' and not is_unsigned and (record_callback.status is null or record_callback.status in (429, 503)) then
    update callback_delivery o set due_at = at + interval '10 seconds' * (0.8 + 0.4 * record_callback.draw)
     where o.id = any (array(
       select w.id from callback_delivery w where w.host = sent.host and w.due_at <= at order by w.due_at limit 1000 for update skip locked));
  end if;
  if verdict = 'disabled' then
    update callback c set disabled_at = at where c.id = sent.callback_id and c.disabled_at is null;
  end if;
  if verdict <> 'again' then
    perform write_event(sent.run_id, 'callback.' || verdict,
      jsonb_strip_nulls(jsonb_build_object('delivery', sent.id, 'attempts', sent.attempts + 1, 'status', record_callback.status,
        'reason', case when verdict <> 'delivered' then told end)));
  end if;
  return verdict;
end $$;
comment on function millrace.record_callback(uuid, int, int, text, int, boolean, bigint, double precision)
  is 'Writes down what came of one attempt of a delivery; answers what follows: delivered, disabled, given_up, again, stale or gone.';
