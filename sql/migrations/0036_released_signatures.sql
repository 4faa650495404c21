-- Functions of earlier schemas whose arguments or results have changed since without a migration that says so: a database that comes from one of
-- them would keep the old one beside the new, or refuse the new one. Who is called so today is made anew in the same transaction.
drop function if exists millrace.abort_tasks(uuid[], text, timestamptz);
drop function if exists millrace.advance_runs(uuid[], int[], int[], smallint[], boolean[], uuid, int, smallint, int[], timestamptz);
drop function if exists millrace.cancel_run(uuid, text);
drop function if exists millrace.count_down_joins(uuid[], int[]);
drop function if exists millrace.list_held_tasks(uuid, int, bigint[], int[], int[]);
drop function if exists millrace.settle_runs(uuid[], boolean);
drop function if exists millrace.start_runs(uuid[], text[], int[], jsonb[], smallint[], text[], jsonb[], timestamptz[], text[], int[], text, uuid, int, int, boolean, boolean);
drop function if exists millrace.claim_limited(uuid, int[], int[], int[], smallint[], bigint[], smallint, int, boolean, timestamptz);
drop function if exists millrace.read_outputs(uuid[], text[]);
drop function if exists millrace.lock_limit_states(bigint[], boolean);
