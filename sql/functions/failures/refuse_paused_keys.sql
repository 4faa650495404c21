-- Of starts that have just taken their run key, those whose key is paused: they give it back. Asked once the keys are held, because a start may
-- have waited for the very run whose failure paused its key.
create or replace function millrace.refuse_paused_keys(run_ids uuid[]) returns table (place int)
language plpgsql
as $$
#variable_conflict use_column
begin
  if not exists (select from failure_streak s where s.paused_at is not null) then
    return;
  end if;
  return query
    with refused as (
      delete from live_key l using failure_streak s
       where l.run_id = any (run_ids) and s.slug = l.slug and s.key = l.key and s.tenant is not distinct from l.tenant and s.paused_at is not null
         and not exists (select from run r where r.id = l.run_id)
      returning l.run_id
    )
    select array_position(run_ids, r.run_id) from refused r;
end $$;
comment on function millrace.refuse_paused_keys(uuid[]) is 'Of starts that have just taken their run key, those whose key is paused.';
