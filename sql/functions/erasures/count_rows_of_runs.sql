-- How many rows of each table would go with these runs.
create or replace function millrace.count_rows_of_runs(run_ids uuid[]) returns jsonb
language plpgsql stable
as $$
declare
  kept_table text;
  n bigint;
  counts jsonb := jsonb_build_object(
    'run', (select count(*) from millrace.run r where r.id = any (run_ids)),
    'agent_request', (select count(*) from millrace.requests_of_runs(run_ids)));
begin
  foreach kept_table in array millrace.tables_of_runs() loop
    continue when kept_table = 'agent_request';
    execute format('select count(*) from millrace.%I where run_id = any ($1)%s', kept_table,
                   case when kept_table = 'emitted_event' then ' and due_at is null' end) into n using run_ids;
    counts := millrace.add_counts(counts, jsonb_build_object(kept_table, n));
  end loop;
  return counts;
end $$;
comment on function millrace.count_rows_of_runs(uuid[]) is 'How many rows of each table would go with these runs.';
