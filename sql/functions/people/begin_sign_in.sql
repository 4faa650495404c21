-- Counts a try to sign in, for the person and for the sender alike, before the password is looked at: so that of any number of tries at once no
-- more than the bound are made. Answers how many seconds to wait, which is 0 where it may be tried. Whether there is such a person plays no part.
create or replace function millrace.begin_sign_in(keys text[], tries_max int, window_seconds int) returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  window_length interval := make_interval(secs => begin_sign_in.window_seconds);
  free_at timestamptz;
begin
  insert into sign_in_lock (key, tries, expires_at)
  select k.key, '{}', at + window_length from unnest(begin_sign_in.keys) k(key) order by k.key
      on conflict (key) do nothing;
  perform from sign_in_lock k where k.key = any (begin_sign_in.keys) order by k.key for update;

  -- It is free again once so many of its tries are older than the window that another one fits.
  select max(t.try + window_length) into free_at
    from sign_in_lock k
   cross join lateral (select u.try from unnest(k.tries) u(try) where u.try > at - window_length order by u.try desc offset begin_sign_in.tries_max - 1 limit 1) t
   where k.key = any (begin_sign_in.keys);
  if free_at > at then
    return ceil(extract(epoch from free_at - at));
  end if;

  update sign_in_lock k
     set tries = array(select u.try from unnest(k.tries) u(try) where u.try > at - window_length order by u.try) || at, expires_at = at + window_length
   where k.key = any (begin_sign_in.keys);
  -- Last, because it waits for nobody: so no two wait for each other.
  delete from sign_in_lock k where k.ctid = any (array(
    select o.ctid from sign_in_lock o where o.expires_at <= at order by o.expires_at limit 100 for update skip locked));
  return 0;
end $$;
comment on function millrace.begin_sign_in(text[], int, int) is 'Counts a try to sign in; answers how many seconds to wait.';
