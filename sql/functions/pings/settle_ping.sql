-- What sending a ping came to: without an error it is done; with one it is sent again after 2, 4, 8 … 128 seconds, eight times in all unless is_final,
-- and then given up: the row stays with its error until the next firing takes its place. Where a newer one has taken it already, that one goes out now.
-- A worker that lacks the secret has called nobody: for an hour that costs one of the eight at most, so that another worker has its turn.
create or replace function millrace.settle_ping(schedule_id bigint, kind text, ping_id bigint, error jsonb default null, is_final boolean default false)
returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  is_unsent boolean := coalesce(settle_ping.error ->> 'code' ~ '^(secret_|encryption_key_missing|decryption_failed)', false);
begin
  if settle_ping.error is not null and (jsonb_typeof(settle_ping.error) <> 'object' or length(settle_ping.error::text) > 2000) then
    perform refuse_argument('error', 'a JSON object of at most 2,000 characters', left(settle_ping.error::text, 100));
  end if;
  if settle_ping.error is null then
    delete from ping p where p.schedule_id = settle_ping.schedule_id and p.kind = settle_ping.kind and p.id = settle_ping.ping_id;
  end if;
  update ping p
     set sending = false,
         error = case when p.id = settle_ping.ping_id then settle_ping.error end,
         -- Never none: who comes after it asks whether it was tried.
         attempts = case when is_unsent and p.id = settle_ping.ping_id and at < p.requested_at + interval '1 hour' then greatest(p.attempts - 1, 1)
                         else p.attempts end,
         next_at = case when p.id <> settle_ping.ping_id then at
                        when is_unsent and at < p.requested_at + interval '1 hour' then at + greatest(interval '2 seconds', (at - p.requested_at) / 4)
                        when p.attempts < 8 and not settle_ping.is_final then at + make_interval(secs => 2 ^ p.attempts) end
   where p.schedule_id = settle_ping.schedule_id and p.kind = settle_ping.kind and p.sending;
end $$;
comment on function millrace.settle_ping(bigint, text, bigint, jsonb, boolean) is 'What sending a ping came to.';
