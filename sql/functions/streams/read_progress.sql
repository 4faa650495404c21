-- How far a run is, and what it shows of itself: how many of its steps and items are final, of those that are known so far (a map counts as one
-- until its list is there; what is done only when a run ends in one way, an undo, counts as none), and what its handlers have said.
create or replace function millrace.read_progress(run_id uuid)
returns table (state text, done int, known int, percent int, reports jsonb)
language plpgsql stable security definer set search_path = millrace, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
begin
  return query
    select r.state, p.done, p.known, run_progress(r.id), told_reports(r.id)
      from run r
     cross join lateral (
       select sum(a.done)::int as done, sum(greatest(1, a.done + coalesce(j.needs_left, 0)))::int as known
         from step_definition d
         left join join_state j on j.run_id = r.id and j.step_id = d.id and d.kind = 'map'
        cross join lateral (
          select count(*)::int as done from attempt a
           where a.run_id = r.id and a.step = d.step and is_last_attempt(a.outcome, a.item, a.retry_at)) a
        where d.slug = r.slug and d.version = r.version and d.kind not in ('end', 'undo', 'finally')) p
     where r.id = read_progress.run_id;
  if not found then
    raise exception 'There is no run %.', read_progress.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
end $$;
comment on function millrace.read_progress(uuid) is 'How far a run is, and what its handlers have said of it.';
