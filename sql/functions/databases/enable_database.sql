-- Lets a copy of a database run what came with it. The leases that came along are void: their workers work elsewhere, or nowhere. What they held goes
-- back to its queue, counted as a failure like that of any worker that is lost, because nobody knows how far it came. In a database that is no
-- copy it changes nothing.
create or replace function millrace.enable_database()
returns table (enabled boolean, workers int, tasks int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  came_from text;
  gone_ids uuid[];
begin
  insert into setting (name, value) values ('home', 'null') on conflict (name) do nothing;
  select s.value #>> '{}' into came_from from setting s where s.name = 'home' for update;
  enabled := is_copied_database();
  workers := 0;
  tasks := 0;
  if enabled then
    update setting set value = to_jsonb(this_database()) where name = 'home';
    with ended as (
      update worker w set state = 'gone', gone_at = at, sleeping = false, gone_reason = 'it worked for the database that this one is a copy of'
       where w.state <> 'gone'
      returning w.id
    )
    select coalesce(array_agg(e.id), '{}') into gone_ids from ended e;
    workers := cardinality(gone_ids);
    tasks := (select count(*) from task t where t.worker_id = any (gone_ids));
    perform take_back_tasks(gone_ids, at);
    perform write_audit('database.enabled', 'database', current_database(),
      jsonb_build_object('came_from', came_from, 'is', this_database(), 'workers', workers, 'tasks', tasks));
  end if;
  return next;
end $$;
comment on function millrace.enable_database() is 'Lets a copy of a database run what came with it; answers whether it was one, and what was taken back from whom.';
