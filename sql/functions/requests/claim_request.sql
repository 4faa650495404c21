-- Whether a request with an idempotency key is to be carried out in this transaction: 'new'; or was answered before: 'answered', with what was answered;
-- or is another one under the same key: 'other'; or is under way somewhere else: 'busy'. A lock of the transaction keeps a second one out, which goes
-- with the connection where the server dies; what may have been answered before the lock was free is looked for once more under it. What was answered
-- longer ago than a day is forgotten.
create or replace function millrace.claim_request(who text, idempotency_key text, digest bytea)
returns table (standing text, status int, answer text, is_kept boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  before answered_request;
  is_locked boolean := false;
begin
  loop
    select r.* into before
      from answered_request r
     where r.who = claim_request.who and r.idempotency_key = claim_request.idempotency_key and r.answered_at > at - interval '1 day';
    exit when found or is_locked;
    is_locked := pg_try_advisory_xact_lock(hashtextextended(format('millrace request %s %s', who, claim_request.idempotency_key), 0));
    exit when not is_locked;
  end loop;
  standing := case
    when before.who is not null then case when before.digest = claim_request.digest then 'answered' else 'other' end
    when is_locked then 'new'
    else 'busy'
    end;
  if standing = 'answered' then
    status := before.status;
    answer := before.answer;
    is_kept := before.is_kept;
  end if;
  return next;
end $$;
comment on function millrace.claim_request(text, text, bytea) is 'Whether a request with an idempotency key is to be carried out in this transaction, or what was answered to it.';
