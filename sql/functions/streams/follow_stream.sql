-- Parts of a run's stream from a position on, with the state in which the run is: where that is final, no part comes after those that are there.
-- With a watcher, the interest in the run's end and in new parts is registered first, under the lock that writers take: what is written before
-- is read here, what comes after is notified on millrace_part.
create or replace function millrace.follow_stream(
  run_id uuid, first int default 0, most int default 100, watcher uuid default null, seconds int default 600)
returns table (state text, "position" int, step text, item int, attempt int, value jsonb, written_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  until timestamptz := at + make_interval(secs => least(follow_stream.seconds, 3600));
begin
  if (follow_stream.first >= 0) is not true then
    perform refuse_argument('first', 'a position from 0', follow_stream.first::text);
  end if;
  if (follow_stream.most between 1 and 1000) is not true then
    perform refuse_argument('most', 'a whole number from 1 to 1000', follow_stream.most::text);
  end if;
  if follow_stream.watcher is not null then
    perform watch_run(follow_stream.run_id, follow_stream.watcher, follow_stream.seconds);
    insert into run_metadata as known (run_id, followed_until)
    select r.id, until from run r where r.id = follow_stream.run_id and r.finished_at is null
        on conflict (run_id) do update set followed_until = excluded.followed_until
     where known.followed_until is null or known.followed_until < at + (until - at) / 2;
  end if;
  return query
    select r.state, p.position, p.step, p.item, p.attempt, p.value, p.written_at
      from run r
      left join lateral (
        select s.position, s.step, s.item, s.attempt, s.value, s.written_at from stream_part s
         where s.run_id = r.id and s.position >= follow_stream.first order by s.position limit follow_stream.most) p on true
     where r.id = follow_stream.run_id
     order by p.position;
  if not found then
    raise exception 'There is no run %.', follow_stream.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
end $$;
comment on function millrace.follow_stream(uuid, int, int, uuid, int) is 'Parts of a run''s stream from a position on, and the state of the run; with a watcher, new parts are notified.';
