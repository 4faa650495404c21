-- Takes all of a run, and of the runs that it called and waited for, out of every table, and keeps only that it was done: who, when, why, and how
-- many rows. Dry, it only counts. A live run is refused: cancel it first.
create or replace function millrace.delete_run(run_id uuid, dry_run boolean default false, reason text default null) returns jsonb
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  erased uuid[] := runs_with_children(delete_run.run_id);
  counts jsonb;
  n bigint;
begin
  if not exists (select from run r where r.id = delete_run.run_id) then
    raise exception 'There is no run %.', delete_run.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  if delete_run.dry_run then
    return count_rows_of_runs(erased);
  end if;
  counts := erase_runs(erased);
  -- Other starts may have gone into one of them, each with a key of its own.
  delete from idempotency i where i.run_id = any (erased);
  get diagnostics n = row_count;
  counts := add_counts(counts, jsonb_build_object('idempotency', n));
  insert into erasure (id, erased_run, reason, counts, begun_at, begun_by, finished_at)
  values (gen_random_uuid(), delete_run.run_id, delete_run.reason, counts, at, actor(), at);
  return counts;
end $$;
comment on function millrace.delete_run(uuid, boolean, text) is 'Takes all of a run out of every table; dry, it only counts.';
