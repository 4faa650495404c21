-- Queues what is to be told of runs that have ended, in the transaction of their end: to the addresses of the run, and to those of its pipeline that
-- are not among them, unless the end has been before. Asked again for the same end, it queues nothing.
create or replace function millrace.queue_callbacks(run_ids uuid[], at timestamptz, of_pipelines boolean default true) returns void
language sql
as $$
  insert into millrace.callback_delivery (id, run_id, callback_id, url, secret, ended, ended_at, error_code, queued_at, due_at)
  select gen_random_uuid(), g.run_id, g.callback_id, g.url, g.secret, g.state, g.finished_at, left(g.error ->> 'code', 200), queue_callbacks.at, queue_callbacks.at
    from (
      select r.id as run_id, r.state, r.finished_at, r.error, c.id as callback_id, c.url, c.secret, c.ends, c.disabled_at
        from millrace.callback c join millrace.run r on r.id = c.run_id where c.run_id = any (queue_callbacks.run_ids) and r.id = any (queue_callbacks.run_ids)
       union all
      select r.id, r.state, r.finished_at, r.error, c.id, c.url, c.secret, c.ends, c.disabled_at
        from millrace.run r join millrace.callback c on c.slug = r.slug
       where r.id = any (queue_callbacks.run_ids) and queue_callbacks.of_pipelines
         and not exists (select from millrace.callback o where o.run_id = r.id and o.url = c.url)) g
   where g.state = any (g.ends) and g.disabled_at is null
   order by g.run_id, g.callback_id
      on conflict (callback_id, run_id, ended_at) do nothing
$$;
comment on function millrace.queue_callbacks(uuid[], timestamptz, boolean) is 'Queues what is to be told of runs that have ended.';
