-- A called run may come back already leased to the worker whose step parks for it, and so may that step when the run ends.
drop function if exists millrace.park_tasks(uuid, int, bigint[], int[], int[], jsonb[]);
drop function if exists millrace.register_waits(uuid[], int[], int[], int[], jsonb[], timestamptz);
drop function if exists millrace.start_children(bigint[], jsonb[], timestamptz);
drop function if exists millrace.wake_tasks(uuid[], int[], int[], timestamptz);
drop function if exists millrace.resolve_waits(bigint[], jsonb[], jsonb[], timestamptz);
drop function if exists millrace.settle_children(uuid[], timestamptz);
drop function if exists millrace.settle_runs(uuid[], boolean, boolean, timestamptz);
drop function if exists millrace.complete_runs(uuid[], jsonb[], timestamptz);
drop function if exists millrace.complete_tasks(uuid, int, bigint[], int[], int[], jsonb[], text[], jsonb[], boolean[], int, smallint, boolean);
