-- What a run, a step of it or an item of a map waits for, in one sentence: a person first (a pause, a version that nobody serves), else what
-- is under way or comes next. The reason is a word for programs; told_step and told_item say of which task the sentence is.
create or replace function millrace.why(run_id uuid, step text default null, item int default null)
returns table (reason text, sentence text, told_step text, told_item int, due_at timestamptz)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  told run;
  paused pipeline;
  definition step_definition;
  open record;
begin
  select r.* into told from run r where r.id = why.run_id;
  if not found then
    raise exception 'There is no run %.', why.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  if why.step is not null then
    select d.* into definition from step_definition d
     where d.slug = told.slug and d.version = told.version and d.step = why.step and d.kind <> 'end';
    if not found then
      perform find_step(why.run_id, why.step, -1);
    end if;
  end if;
  select * into open from find_open_task(told.id, definition.id, why.item, at);
  told_step := coalesce(open.step, why.step);
  told_item := coalesce(open.item, why.item);
  due_at := open.due_at;
  select p.* into paused from pipeline p where p.slug = told.slug and p.paused_at is not null;

  if open.reason is null and why.step is not null then
    select t.reason, t.sentence into reason, sentence from tell_step(told, definition, why.item) t;
  elsif told.finished_at is not null and open.reason is null then
    reason := 'ended';
    sentence := format('The run %s on %s: it waits for nothing.',
      case told.state when 'cancelled' then 'was cancelled' else told.state end, tell_time(told.finished_at));
  elsif is_copied_database() then
    reason := 'copied_database';
    sentence := 'This database is a copy of another one, and nothing runs in it until somebody says so with: npx millrace database enable';
  elsif told.paused_at is not null and open.reason is distinct from 'running' then
    reason := 'run_paused';
    sentence := format('The run is paused since %s; resume it with: npx millrace run resume %s', tell_time(told.paused_at), told.id);
  elsif paused.slug is not null and open.reason not in ('running', 'aborting') then
    reason := 'pipeline_paused';
    sentence := format('The pipeline ''%s'' was paused by %s on %s%s; resume it with: npx millrace pipeline resume %s', told.slug, paused.paused_by,
      tell_time(paused.paused_at), ': ' || paused.pause_reason, told.slug);
  elsif open.reason = 'running' and exists (
        select from lock_request q where q.task_id = open.task_id and q.attempt = open.attempt and q.token is null) then
    reason := 'lock';
    select l into sentence
      from tell_lock(open.task_id, open.attempt, case when open.item is null then format('''%s''', open.step) else format('Item %s of ''%s''', open.item, open.step) end, at) l;
  elsif open.reason = 'limit' or (open.reason = 'needs_version' and told.started_via = 'outside' and exists (
        select from waiting_task w where w.id = open.task_id and w.run_id = told.id and w.reason = 'limit')) then
    reason := 'limit';
    select l.sentence, l.due_at into sentence, due_at
      from tell_limit(open.task_id, case when open.item is null then format('''%s''', open.step) else format('Item %s of ''%s''', open.item, open.step) end, at) l;
  elsif (open.reason = 'queued' or (open.reason = 'needs_version' and told.started_via = 'outside')) and lane_limit(open.handler) is not null then
    reason := 'limit';
    select l.sentence, l.due_at into sentence, due_at
      from tell_lane_limit(open.task_id, case when open.item is null then format('''%s''', open.step) else format('Item %s of ''%s''', open.item, open.step) end, at) l;
  elsif open.reason = 'queued' and exists (select from step_definition d where d.id = open.step_id and d.batch_size is not null) then
    reason := 'batch';
    select b.sentence, b.due_at into sentence, due_at
      from step_definition d
     cross join lateral tell_batch(open.task_id, d, case when open.item is null then format('''%s''', open.step) else format('Item %s of ''%s''', open.item, open.step) end, at) b
     where d.id = open.step_id;
  elsif open.reason = 'waiting' then
    select t.reason, t.sentence into reason, sentence
      from tell_wait(told.id, open.step_id, coalesce(open.item, -1),
                     case when open.item is null then format('''%s''', open.step) else format('Item %s of ''%s''', open.item, open.step) end) t;
  else
    reason := case when open.reason = 'needs_version' and told.started_via = 'outside' then 'outside' else open.reason end;
    sentence := case reason
      when 'outside' then format('''%s'' is ready since %s, for the executor outside that reports it.', open.step, tell_time(coalesce(open.since, open.due_at)))
      else tell_open_task(told.id, open.reason, open.step, open.item, open.task_id, open.handler, open.priority, open.attempt, open.failures,
                          open.max_attempts, open.since, open.due_at, open.worker_id, at) end;
  end if;
  sentence := sentence || case when reason in ('run_paused', 'pipeline_paused') or coalesce(open.total, 0) < 2 then ''
                               when open.total = 2 then ' One more of its tasks is open.'
                               else format(' %s more of its tasks are open.', open.total - 1) end;
  return next;
end $$;
comment on function millrace.why(uuid, text, int) is 'What a run, or a step or item of it, waits for: a word and a sentence.';
