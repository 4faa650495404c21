-- Fails runs reported from outside of which nothing was heard until their deadline.
create or replace function millrace.fail_silent_runs(at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  silent uuid[];
begin
  select coalesce(array_agg(s.run_id), '{}') into silent
    from (select run_id from run_deadline where deadline_at <= at order by deadline_at limit 100 for update skip locked) s;
  if silent = '{}' then
    return;
  end if;
  perform fail_runs(silent, array_fill(null::text, array[cardinality(silent)]), array_fill(null::int, array[cardinality(silent)]),
    array_fill('{"code": "run_silent", "message": "Nothing was heard of the run until its deadline.", "retryable": false}'::jsonb,
               array[cardinality(silent)]), at);
end $$;
comment on function millrace.fail_silent_runs(timestamptz) is 'Fails runs of which nothing was heard until their deadline.';
