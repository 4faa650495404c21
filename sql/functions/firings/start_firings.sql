-- Starts the runs of queued firings whose schedules are locked: a thousand in one batch, since more may be queued than one call starts. Where a batch is
-- refused its firings come one by one, so that a start that can't be made keeps none of the others from beginning. A firing without a run says why.
create or replace function millrace.start_firings(firing_ids bigint[], replacing bigint[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  part bigint[];
  begun bigint;
begin
  for place in 1 .. cardinality(firing_ids) by 1000 loop
    part := firing_ids[place : place + 999];
    begin
      perform start_firing_runs(part, replacing, at);
      continue;
    exception when others then
      -- What passes by itself is tried again with the whole evaluation.
      if is_passing_fault(sqlstate) then
        raise;
      end if;
    end;
    foreach begun in array part loop
      begin
        perform start_firing_runs(array[begun], replacing, at);
      exception when others then
        if is_passing_fault(sqlstate) then
          raise;
        end if;
        update firing f
           set state = 'failed', reason = 'no_start', closed_at = at, unsettled = true, error = jsonb_build_object('code', sqlstate, 'message', left(sqlerrm, 2000))
         where f.id = begun;
      end;
    end loop;
  end loop;
  if replacing <> '{}' then
    perform replace_started(firing_ids, replacing, at);
  end if;
end $$;
comment on function millrace.start_firings(bigint[], bigint[], timestamptz) is 'Starts the runs of queued firings; one that can''t be started keeps none of the others from beginning.';
