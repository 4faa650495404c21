-- Removes a batch of values that have expired, of claims whose attempts are over, and of values beyond the bounds of the cache: then what
-- would expire first goes first. What somebody holds is left to the next time.
create or replace function millrace.prune_cache(batch int) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  entries_max bigint := setting_number('cache_entries_max');
  bytes_max bigint := setting_number('cache_bytes_max');
  removed int;
  more boolean;
begin
  delete from cache_entry e where e.id in (
    select f.id from cache_entry f where f.expires_at <= at order by f.expires_at limit batch for update skip locked);
  get diagnostics removed = row_count;
  more := removed >= batch;
  delete from cache_claim c where c.id in (
    select d.id from cache_claim d
     where not exists (select from task t where t.id = d.task_id and t.step_id = d.step_id and t.attempt = d.attempt and t.worker_id = d.worker_id)
     limit batch for update skip locked);
  get diagnostics removed = row_count;
  more := more or removed >= batch;
  delete from cache_entry e where e.id in (
    select f.id from cache_entry f
     where f.id in (
       select s.id from (
         select g.id, g.expires_at, sum(g.size) over last_first as bytes, row_number() over last_first as place from cache_entry g
         window last_first as (order by g.expires_at desc, g.id desc)) s
        where s.bytes > bytes_max or s.place > entries_max
        order by s.expires_at limit batch)
       for update skip locked);
  get diagnostics removed = row_count;
  return more or removed >= batch;
end $$;
comment on function millrace.prune_cache(int) is 'Removes a batch of what has expired or is too much; answers whether there may be more.';
