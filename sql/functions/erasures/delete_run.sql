-- Takes all of a run, and of the runs that it called and waited for, out of every table, and keeps only that it was done: who, when, why, and how
-- many rows. Dry, it only counts. A live run is refused: cancel it first. What they emitted and nothing is started for yet was accepted, so that it
-- lives on and forgets where it came from, as does what was made of them.
create or replace function millrace.delete_run(run_id uuid, dry_run boolean default false, reason text default null) returns jsonb
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  erased uuid[] := runs_with_children(delete_run.run_id);
  coalescing text[];
  counts jsonb;
  n bigint;
begin
  if not exists (select from run r where r.id = delete_run.run_id) then
    raise exception 'There is no run %.', delete_run.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  if delete_run.dry_run then
    return count_rows_of_runs(erased);
  end if;
  update emitted_event e set run_id = null, step = null where e.run_id = any (erased) and e.due_at is not null;
  coalescing := array(select distinct r.slug from coalesced_start c join run r on r.id = c.run_id where c.run_id = any (erased));
  counts := erase_runs(erased);
  -- Other starts went into one of them, each with a key of its own. No index finds them: those of their pipeline are read, and of no other.
  if coalescing <> '{}' then
    delete from idempotency i where i.slug = any (coalescing) and i.run_id = any (erased);
    get diagnostics n = row_count;
    counts := add_counts(counts, jsonb_build_object('idempotency', n));
  end if;
  insert into erasure (id, erased_run, reason, counts, begun_at, begun_by, finished_at)
  values (gen_random_uuid(), delete_run.run_id, delete_run.reason, counts, at, actor(), at);
  return counts;
end $$;
comment on function millrace.delete_run(uuid, boolean, text) is 'Takes all of a run out of every table; dry, it only counts.';
