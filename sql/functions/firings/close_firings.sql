-- Closes the firings of runs that end, in the same transaction: what the scheduler says of a run is never anything but its real end. What is expected
-- of a completed run is verified afterwards.
create or replace function millrace.close_firings(run_ids uuid[], at timestamptz) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  update firing f
     set state = case r.state when 'completed' then 'completed' else 'failed' end,
         reason = case r.state when 'failed' then 'run_failed' when 'cancelled' then 'run_cancelled' end,
         error = case r.state when 'failed' then r.error - 'stack'
                              when 'cancelled' then jsonb_build_object('code', 'run_cancelled', 'message', format('Run %s was cancelled.', r.id)) end,
         ended_at = at,
         closed_at = case when r.state <> 'completed' or f.expect is null then at end,
         unsettled = r.state <> 'completed' or f.expect is null,
         verify_at = case when r.state = 'completed' and f.expect is not null then at end
    from run r
   where f.run_id = any (close_firings.run_ids) and f.state = 'started' and r.id = any (array[f.run_id]) and r.finished_at is not null;
end $$;
comment on function millrace.close_firings(uuid[], timestamptz) is 'Closes the firings of runs that end.';
