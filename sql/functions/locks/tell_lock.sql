-- The sentence on a running task that waits for a lock: which one, who holds it, and how many come before it. No row where it waits for none.
create or replace function millrace.tell_lock(waiting_task_id bigint, waiting_attempt int, subject text, at timestamptz) returns setof text
language sql stable
as $$
  select format('%s waits since %s for the lock ''%s'', %s%s.', subject, millrace.tell_time(q.asked_at), left(q.name, 100),
           coalesce((select format('which ''%s'' of run %s holds since %s', d.step, h.run_id, millrace.tell_time(h.granted_at))
                       from millrace.lock_line(q.name, q.tenant, tell_lock.at) h join millrace.step_definition d on d.id = h.step_id
                      where h.token is not null), 'which nobody holds any more'),
           case before.n when 0 then '' when 1 then '; one other comes before it' else format('; %s others come before it', before.n) end)
    from millrace.lock_request q
   cross join lateral (
     select count(*) as n from millrace.lock_line(q.name, q.tenant, tell_lock.at) l where l.token is null and l.id < q.id) before
   where q.task_id = waiting_task_id and q.attempt = waiting_attempt and q.token is null
   order by q.id limit 1
$$;
comment on function millrace.tell_lock(bigint, int, text, timestamptz) is 'The sentence on a running task that waits for a lock.';
