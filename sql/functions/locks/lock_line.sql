-- Who holds a lock, and who waits for it in the order in which they came. A row counts while its attempt holds its task: so whatever ends the
-- attempt frees the lock in the same transaction, a crash as well. Who waits counts until its time is over, and not once it was told to stop.
create or replace function millrace.lock_line(name text, tenant text, at timestamptz) returns setof millrace.lock_request
language sql stable
as $$
  select q.*
    from millrace.lock_request q
    join millrace.task t on t.id = any (array[q.task_id]) and t.step_id = q.step_id and t.attempt = q.attempt and t.worker_id = q.worker_id
   where q.name = lock_line.name and q.tenant is not distinct from lock_line.tenant
     and (q.token is not null or (t.aborted_at is null and (q.wait_until is null or q.wait_until >= lock_line.at)))
   order by q.token is null, q.id
$$;
comment on function millrace.lock_line(text, text, timestamptz) is 'Who holds a lock, then who waits for it in the order in which they came.';
