-- Removes a batch of what the server keeps of requests: answers older than a day, counts of minutes and hours that are over, public keys of tokens that
-- no token needs any more, and keys that ended more than a year ago. True where there may be more.
create or replace function millrace.prune_requests(batch int default 1000) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
declare
  at timestamptz := millrace.now();
  deleted int;
  more boolean;
begin
  delete from answered_request r where r.ctid = any (array(
    select o.ctid from answered_request o where o.answered_at <= at - interval '1 day' limit batch for update skip locked));
  get diagnostics deleted = row_count;
  more := deleted >= batch;
  delete from request_count c where c.ctid = any (array(
    select o.ctid from request_count o where o.expire < extract(epoch from at) * 1000 limit batch for update skip locked));
  get diagnostics deleted = row_count;
  more := more or deleted >= batch;
  delete from token_key t where t.ctid = any (array(
    select o.ctid from token_key o where o.expires_at <= at limit batch for update skip locked));
  get diagnostics deleted = row_count;
  more := more or deleted >= batch;
  delete from api_key k where k.ctid = any (array(
    select o.ctid from api_key o where o.expires_at <= at - interval '365 days' limit batch for update skip locked));
  get diagnostics deleted = row_count;
  return more or deleted >= batch;
end $$;
comment on function millrace.prune_requests(int) is 'Removes a batch of what the server keeps of requests and has no use for any more; true where there may be more.';
