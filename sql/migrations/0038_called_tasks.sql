-- Tasks that were called back from where they waited for a limit lie behind all that became ready meanwhile: claims find the first of them here,
-- and begin with it if it has been ready for longest (see order_lanes).
create index task_called on millrace.task (handler, priority, id) where worker_id is null and holds is not null;

-- It is told since then whether it may wait.
drop function if exists millrace.claim_tasks(uuid, int, int, int[], smallint[], bigint[]);
