-- An executor outside that went on without the database tells what its run's account can't know: from when to when nothing could be
-- reported, how many reports came late, how many were refused because their attempt had lost its step, and how many were dropped.
create or replace function millrace.report_gap(run_id uuid, lasted_ms bigint, reports int, refused int default 0, dropped int default 0)
returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
declare
  at timestamptz := millrace.now();
begin
  if not exists (select from millrace.run r where r.id = report_gap.run_id) then
    raise exception 'There is no run %.', report_gap.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  perform write_event(report_gap.run_id, 'run.report_gap', jsonb_build_object(
    'from', at - make_interval(secs => least(greatest(lasted_ms, 0), 31536000000) / 1000.0), 'to', at,
    'count', report_gap.reports, 'refused', report_gap.refused, 'dropped', report_gap.dropped));
end $$;
comment on function millrace.report_gap(uuid, bigint, int, int, int) is 'An executor outside tells of a time in which it could report nothing.';
