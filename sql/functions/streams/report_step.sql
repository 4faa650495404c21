-- What an executor outside says of a step while it runs: progress, metadata, a metric, or a part of the run's stream. It is refused when the
-- attempt no longer holds the step. A part with its number in the attempt, from 0, may be sent again: it is written once.
create or replace function millrace.report_step(
  run_id uuid, step text, attempt int, kind text, body jsonb, item int default -1, number int default null) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  held record;
  refused text;
begin
  select h.task_id, t.aborted_at into held
    from held_step(report_step.run_id, report_step.step, report_step.attempt, report_step.item) h join task t on t.id = h.task_id;
  perform check_report(report_step.kind, report_step.body);
  if report_step.number < 0 then
    perform refuse_argument('number', 'a whole number from 0', report_step.number::text);
  end if;
  if report_step.kind = 'part' then
    perform refuse_clear_words(report_step.run_id, report_step.step, 'a part of its stream', report_step.body);
  end if;
  if report_step.kind = 'part' and held.aborted_at is not null then
    raise exception 'Run % is being ended: its stream takes no part any more.', report_step.run_id
      using errcode = 'MR008', hint = 'Stop the work of the step.';
  end if;
  select k.code into refused
    from keep_reports(array[report_step.run_id], array[report_step.step], array[report_step.item], array[report_step.attempt],
      array[report_step.kind],
      array[case when report_step.kind = 'metric' then '{"labels": {}}' || report_step.body else report_step.body end], array[report_step.number]) k;
  if refused is not null then
    perform refuse_argument('body', case refused
      when 'stream_full' then 'one of the 100,000 parts that a stream takes'
      when 'metrics_too_many' then 'of one of the 20 metrics, or 100 with their labels, that a run may have'
      else 'a patch with which the metadata of the run stays within 64 KB' end, 'one beyond them');
  end if;
  perform hear_run(report_step.run_id);
end $$;
comment on function millrace.report_step(uuid, text, int, text, jsonb, int, int) is 'What a step says while it runs: progress, metadata, a metric, or a part of its run''s stream.';
