-- Starts one run from plain SQL, in the caller's own transaction. With a run key declared, it is the same as ensuring that one is live.
-- An argument that can't be right is refused by its name; the bounds are those of the SDK. What is null is as if it were left out.
create or replace function millrace.start_run(
  slug text, input jsonb default null, id uuid default null, version int default null, priority int default 5, tenant text default null,
  headers jsonb default null, available_at timestamptz default null, idempotency_key text default null,
  idempotency_seconds int default 86400, started_via text default 'sql')
returns table (created boolean, reason text, run_id uuid, rule text, passes_at timestamptz)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  new_id uuid := coalesce(start_run.id, millrace.uuid_v7(millrace.now()));
  refused record;
  wrong text;
begin
  wrong := case
    when start_run.priority not between 1 and 9 then format('priority must be from 1, first, to 9, last, not %s', start_run.priority)
    when jsonb_typeof(start_run.headers) <> 'object' then format('headers must be a JSON object, not a JSON %s', jsonb_typeof(start_run.headers))
    when length(start_run.tenant) not between 1 and 200 then format('tenant must be a text of 1 to 200 characters, not of %s', length(start_run.tenant))
    when length(start_run.idempotency_key) not between 1 and 500
      then format('idempotency_key must be a text of 1 to 500 characters, not of %s', length(start_run.idempotency_key))
    when start_run.idempotency_seconds not between 1 and 31536000
      then format('idempotency_seconds must be from 1 to 31,536,000, not %s', start_run.idempotency_seconds)
    when start_run.started_via is null then 'started_via must be a text, not null'
    end;
  if wrong is not null then
    raise exception 'The start of ''%'' is refused: %.', start_run.slug, wrong using errcode = 'MR013', hint = 'Correct the argument, or leave it out.';
  end if;
  select * into refused
    from start_runs(array[new_id], array[start_run.slug], array[start_run.version], array[start_run.input],
      array[start_run.priority]::smallint[], array[start_run.tenant], array[start_run.headers], array[start_run.available_at],
      case when start_run.idempotency_key is not null then array[start_run.idempotency_key] end, array[start_run.idempotency_seconds],
      started_via => start_run.started_via);
  if not found then
    return query select true, null::text, new_id, null::text, null::timestamptz;
  elsif refused.reason = 'conflict' then
    raise exception 'Idempotency key ''%'' of pipeline ''%'' was used with another input, by run %.', start_run.idempotency_key, start_run.slug,
      refused.live_run_id || coalesce('; they differ at ' || array_to_string(input_difference(refused.live_run_id, start_run.input), ', '), '')
      using errcode = 'MR009', hint = 'Use another key, or send the same input again.';
  else
    return query select false, refused.reason, refused.live_run_id, refused.rule, refused.passes_at;
  end if;
end $$;
comment on function millrace.start_run(text, jsonb, uuid, int, int, text, jsonb, timestamptz, text, int, text) is 'Starts one run from plain SQL.';
