-- Deletes, in bounded batches, what was kept of changes beside them: records of gaps, and of backfills that have ended, after 30 days.
create or replace function millrace.prune_changes(batch int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  delete from millrace.change_gap g where g.id = any (array(select o.id from millrace.change_gap o where o.at < prune_changes.at - interval '30 days' limit batch));
  delete from millrace.change_backfill b where b.id = any (array(select o.id from millrace.change_backfill o where o.finished_at < prune_changes.at - interval '30 days' limit batch));
end $$;
comment on function millrace.prune_changes(int, timestamptz) is 'Deletes old records of gaps and of backfills.';
