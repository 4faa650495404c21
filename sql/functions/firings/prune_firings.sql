-- Forgets firings that were closed before a time, and schedules that were removed before then and have none left. Answers whether there may be more.
create or replace function millrace.prune_firings(batch int, keep_from timestamptz) returns boolean
language plpgsql
as $$
#variable_conflict use_column
declare
  deleted int;
begin
  delete from firing f where f.id = any (array(select o.id from firing o where o.closed_at < keep_from order by o.closed_at limit batch));
  get diagnostics deleted = row_count;
  delete from schedule s
   where s.id = any (array(select r.id from schedule r where r.retired_at < keep_from
                              and not exists (select from firing f where f.schedule_id = r.id) limit batch for update skip locked));
  return deleted >= batch;
end $$;
comment on function millrace.prune_firings(int, timestamptz) is 'Forgets firings that were closed before a time; answers whether there may be more.';
