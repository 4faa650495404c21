-- Hands firings on to the runs that go on in the place of others: one that was continued, or redriven. A firing that had failed with its run is open
-- again, and ends as the redrive does.
create or replace function millrace.pass_firings(run_ids uuid[], next_run_ids uuid[]) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  update firing f
     set run_id = g.next_run_id, state = 'started', reason = null, error = null, ended_at = null, closed_at = null, unsettled = false
    from unnest(pass_firings.run_ids, next_run_ids) g(run_id, next_run_id)
   where f.run_id = g.run_id and f.state in ('started', 'failed');
end $$;
comment on function millrace.pass_firings(uuid[], uuid[]) is 'Hands firings on to the runs that go on in the place of others.';
