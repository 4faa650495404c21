-- Deletes, a batch of each watch, the changes that nobody is going to be told of: those of a watch that is gone, and those of one that no code declares any
-- more, which stay for a week and are counted when they go: a deployment that left it out by mistake loses nothing. A watch that somebody has at hand is
-- left. It goes from watch to watch, whatever those have recorded that is still to be told. Answers whether there may be more.
create or replace function millrace.prune_untold(batch int, at timestamptz) returns boolean
language plpgsql
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  candidate int;
  dropped int;
  more boolean := false;
begin
  for candidate in
    with recursive recorded as (
      select min(c.watch_id) as watch_id from millrace.change c
       union all
      select (select min(c.watch_id) from millrace.change c where c.watch_id > r.watch_id) from recorded r where r.watch_id is not null
    )
    select r.watch_id from recorded r left join millrace.change_watch w on w.id = r.watch_id
     where r.watch_id is not null and (w.id is null or w.retired_at < prune_untold.at - interval '7 days')
     order by r.watch_id
  loop
    perform from millrace.change_watch w where w.id = candidate and w.retired_at < prune_untold.at - interval '7 days' for update skip locked;
    continue when not found and exists (select from millrace.change_watch w where w.id = candidate);
    delete from millrace.change c
     where c.watch_id = candidate and c.id = any (array(select u.id from millrace.change u where u.watch_id = candidate order by u.id limit batch * 10));
    get diagnostics dropped = row_count;
    more := more or dropped >= batch * 10;
    update millrace.change_watch w set changes_dropped = w.changes_dropped + dropped where w.id = candidate;
  end loop;
  return more;
end $$;
comment on function millrace.prune_untold(int, timestamptz) is 'Deletes changes that nobody is going to be told of; answers whether there may be more.';
