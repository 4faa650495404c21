-- Deletes, in bounded batches, the changes that nobody is going to be told of, and records of gaps after 30 days. Those of a watch that no code declares any
-- more stay for a week, and are counted when they go: a deployment that left it out by mistake loses nothing. A watch that somebody has at hand is left.
create or replace function millrace.prune_changes(batch int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  retired int;
  dropped int;
begin
  for retired in
    select w.id from millrace.change_watch w
     where w.retired_at < prune_changes.at - interval '7 days' and exists (select from millrace.change c where c.watch_id = any (array[w.id]))
     order by w.id for update skip locked
  loop
    delete from millrace.change c
     where c.watch_id = retired and c.id = any (array(select u.id from millrace.change u where u.watch_id = retired order by u.id limit batch * 10));
    get diagnostics dropped = row_count;
    update millrace.change_watch w set changes_dropped = w.changes_dropped + dropped where w.id = retired;
  end loop;
  delete from millrace.change c where (c.watch_id, c.id) in (
    select l.watch_id, l.id from (select distinct g.watch_id from millrace.change g) n
     cross join lateral (select u.watch_id, u.id from millrace.change u where u.watch_id = n.watch_id order by u.id limit batch * 10) l
     where not exists (select from millrace.change_watch w where w.id = n.watch_id));
  delete from millrace.change_gap g where g.id = any (array(select o.id from millrace.change_gap o where o.at < prune_changes.at - interval '30 days' limit batch));
  delete from millrace.change_backfill b where b.id = any (array(select o.id from millrace.change_backfill o where o.finished_at < prune_changes.at - interval '30 days' limit batch));
end $$;
comment on function millrace.prune_changes(int, timestamptz) is 'Deletes changes that nobody is going to be told of, and old records of gaps.';
