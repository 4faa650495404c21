-- Where a run came from, and which runs came of it: the first 20, the newest first. A run that was pruned is told by its id alone.
create or replace function millrace.account_lineage(told_run uuid) returns jsonb
language sql stable
as $$
  select jsonb_build_object(
    'of', (select jsonb_build_object('run', l.of_run, 'kind', l.kind, 'step', l.step, 'difference', l.input_difference, 'reason', l.reason,
                                     'redrive', l.redrive_id, 'by', l.created_by)
             from millrace.run_lineage l where l.run_id = told_run),
    'total', (select count(*) from millrace.run_lineage l where l.of_run = told_run),
    'into', (select coalesce(jsonb_agg(jsonb_build_object('run', n.run_id, 'kind', n.kind, 'step', n.step, 'state', n.state, 'at', n.created_at, 'by', n.created_by)
                                       order by n.created_at desc, n.run_id desc), '[]')
               from (select l.*, r.state from millrace.run_lineage l left join millrace.run r on r.id = l.run_id
                      where l.of_run = told_run order by l.created_at desc, l.run_id desc limit 20) n))
$$;
comment on function millrace.account_lineage(uuid) is 'Where a run came from, and which runs came of it.';
