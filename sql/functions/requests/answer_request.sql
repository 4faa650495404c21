-- Keeps what is answered to a request with an idempotency key, in the transaction of what it did: either both are there, or neither.
create or replace function millrace.answer_request(
  who text, idempotency_key text, digest bytea, tenant text, status int, answer text, is_kept boolean) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
declare
  at timestamptz := millrace.now();
begin
  insert into answered_request as r (who, idempotency_key, digest, tenant, status, answer, is_kept, answered_at)
  values (answer_request.who, answer_request.idempotency_key, answer_request.digest, answer_request.tenant, answer_request.status,
          answer_request.answer, answer_request.is_kept, at)
      on conflict on constraint answered_request_pkey
      do update set digest = excluded.digest, tenant = excluded.tenant, status = excluded.status, answer = excluded.answer,
                    is_kept = excluded.is_kept, answered_at = excluded.answered_at;
end $$;
comment on function millrace.answer_request(text, text, bytea, text, int, text, boolean) is 'Keeps what is answered to a request with an idempotency key.';
