-- The account of a run: what started it, its steps and attempts, what it waits for, who touched it, and where its time went. Each list
-- is bounded and says how much it leaves out: a map of 100,000 items makes no larger answer than one of 100.
create or replace function millrace.run_account(run_id uuid) returns jsonb
language plpgsql stable security definer set search_path = millrace, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  told run;
begin
  select r.* into told from run r where r.id = run_account.run_id;
  if not found then
    raise exception 'There is no run %.', run_account.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  return jsonb_build_object(
    'at', at,
    'run', to_jsonb(told) - array['slug', 'input', 'output', 'headers', 'error', 'outcome_step', 'outcome_item'] || jsonb_build_object(
      'pipeline', told.slug, 'error', told.error - 'stack', 'outcome_error', told.outcome_error - 'stack',
      'is_dead_letter', exists (select from dead_letter l where l.run_id = told.id)),
    'pipeline', (select jsonb_build_object('paused_at', p.paused_at, 'paused_by', p.paused_by, 'pause_reason', p.pause_reason)
                   from pipeline p where p.slug = told.slug),
    'steps', account_steps(told.id, told.slug, told.version),
    'tasks', account_tasks(told.id, at),
    'attempts', account_attempts(told.id),
    'events', account_events(told.id),
    'children', account_children(told.id),
    'lineage', account_lineage(told.id),
    'starts', (select jsonb_build_object('rule', c.rule, 'kind', c.kind, 'starts', c.starts, 'first_at', c.first_at, 'last_at', c.last_at)
                 from coalesced_start c where c.run_id = told.id),
    'behind', (select jsonb_build_object('run', h.behind_run, 'rule', h.rule) from held_start h where h.run_id = told.id limit 1),
    'time', account_time(told.id, told.created_at, told.available_at, coalesce(told.finished_at, at)))
    || told_reports(told.id);
end $$;
comment on function millrace.run_account(uuid) is 'The account of a run, as JSON.';
