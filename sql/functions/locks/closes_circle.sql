-- Whether a request waits, over holders that wait themselves, for its own attempt. Of such a circle the youngest request gives way, so
-- that one does and not all. What a holder waits for counts while its attempt holds its task and was not told to stop: otherwise it lets go by itself.
create or replace function millrace.closes_circle(asked_request uuid) returns boolean
language sql stable
as $$
  with recursive chain(task_id, step_id, attempt, youngest) as (
    select h.task_id, h.step_id, h.attempt, q.id
      from millrace.lock_request q
      join millrace.lock_request h on h.name = q.name and h.tenant is not distinct from q.tenant and h.token is not null
      join millrace.task t on t.id = any (array[h.task_id]) and t.step_id = h.step_id and t.attempt = h.attempt and t.worker_id = h.worker_id and t.aborted_at is null
     where q.request = asked_request and q.token is null
    union
    select h.task_id, h.step_id, h.attempt, greatest(c.youngest, q.id)
      from chain c
      join millrace.lock_request q on q.task_id = c.task_id and q.step_id = c.step_id and q.attempt = c.attempt and q.token is null
      join millrace.lock_request h on h.name = q.name and h.tenant is not distinct from q.tenant and h.token is not null
      join millrace.task t on t.id = any (array[h.task_id]) and t.step_id = h.step_id and t.attempt = h.attempt and t.worker_id = h.worker_id and t.aborted_at is null
  )
  select exists (
    select from chain c join millrace.lock_request q on q.request = asked_request
     where c.task_id = q.task_id and c.step_id = q.step_id and c.attempt = q.attempt and c.youngest = q.id)
$$;
comment on function millrace.closes_circle(uuid) is 'Whether a request waits for its own attempt, and is the youngest of that circle.';
