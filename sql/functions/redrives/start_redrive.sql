-- Orders failed runs to be redriven: those that a filter lets through now, or those named. Named ones (at most 100, without a rate) are redriven
-- at once; of others the workers take care, in batches. The same id or the same idempotency key again is the same order, and is answered as it
-- stands. What a failed run goes on with is told by restart (failed, start, step), version (original, latest) and input.
create or replace function millrace.start_redrive(
  filter jsonb, restart text default 'failed', step text default null, version text default 'original', input jsonb default null,
  rate float8 default null, reason text default null, idempotency_key text default null, id uuid default null)
returns table (created boolean, redrive_id uuid, total int, done int, refused int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  named uuid[];
  missing uuid;
  asked redrive;
  is_hidden boolean;
  digest bytea;
begin
  perform check_failure_filter(filter);
  if (start_redrive.restart in ('failed', 'start', 'step')) is not true then
    perform refuse_argument('restart', 'failed, start or step', quote_literal(start_redrive.restart));
  end if;
  if (start_redrive.restart = 'step') <> (start_redrive.step is not null) then
    perform refuse_argument('step', 'given where restart is step, and only there', quote_literal(start_redrive.step));
  end if;
  if (start_redrive.version in ('original', 'latest')) is not true then
    perform refuse_argument('version', 'original or latest', quote_literal(start_redrive.version));
  end if;
  if start_redrive.rate not between 0.001 and 1000000 then
    perform refuse_argument('rate', 'from 0.001 to 1,000,000 runs a second', start_redrive.rate::text);
  end if;
  if length(start_redrive.idempotency_key) not between 1 and 500 then
    perform refuse_argument('idempotency_key', 'a text of 1 to 500 characters', format('of %s', length(start_redrive.idempotency_key)));
  end if;
  if filter -> 'runs' is not null then
    named := array(select distinct r.id::uuid from jsonb_array_elements_text(filter -> 'runs') r(id) order by 1);
  end if;
  if start_redrive.input is not null and cardinality(named) is distinct from 1 then
    perform refuse_argument('input', 'given for one run alone', format('for %s', coalesce(cardinality(named)::text, 'a filter')));
  end if;
  -- An edit of an encrypted run comes in the clear and is refused: neither it nor a digest of it, by which it could be guessed, is written down.
  is_hidden := start_redrive.input is not null and exists (
    select from run r join pipeline p on p.slug = r.slug join pipeline_version v on v.slug = r.slug
     where r.id = named[1] and v.is_encrypted and v.version in (r.version, case start_redrive.version when 'latest' then p.active_version end));
  digest := sha256(convert_to(case when is_hidden then '' else start_redrive.input::text end, 'UTF8'));

  insert into redrive (id, idempotency_key, filter, restart, step, version, input, input_digest, reason, rate, paced_at, created_at, created_by)
  values (coalesce(start_redrive.id, gen_random_uuid()), start_redrive.idempotency_key, start_redrive.filter, start_redrive.restart, start_redrive.step,
          start_redrive.version, case when not is_hidden then start_redrive.input end, digest, start_redrive.reason, start_redrive.rate,
          at - make_interval(secs => coalesce(1 / start_redrive.rate, 0)), at, actor())
      on conflict do nothing
  returning * into asked;
  created := found;
  if not created then
    select d.* into asked from redrive d where d.id = start_redrive.id or d.idempotency_key = start_redrive.idempotency_key limit 1;
    if (asked.filter, asked.restart, asked.step, asked.version, asked.input_digest) is distinct from
       (start_redrive.filter, start_redrive.restart, start_redrive.step, start_redrive.version, digest) then
      raise exception 'The key of this redrive was used for another one, %.', asked.id
        using errcode = 'MR009', hint = 'Use another key, or ask for the same again.', detail = jsonb_build_object('redriveId', asked.id)::text;
    end if;
    return query select false, asked.id, asked.total, asked.done, asked.refused;
    return;
  end if;

  if named is null then
    insert into redrive_item (redrive_id, run_id, failed_at) select asked.id, m.run_id, m.failed_at from match_dead_letters(filter) m;
  else
    select n into missing from unnest(named) n where not exists (select from run r where r.id = n) limit 1;
    if found then
      raise exception 'There is no run %.', missing using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
    end if;
    insert into redrive_item (redrive_id, run_id, failed_at)
    select asked.id, n, l.failed_at from unnest(named) n left join dead_letter l on l.run_id = n;
  end if;
  get diagnostics total = row_count;
  update redrive d set total = start_redrive.total, finished_at = case when start_redrive.total = 0 then at end where d.id = asked.id returning d.* into asked;
  if is_hidden then
    update redrive_item i
       set state = 'refused', tries = 1, reason = 'encrypted', detail = 'What is stored of it was encrypted for this run, and can be read by no other.'
     where i.redrive_id = asked.id;
    update redrive d set refused = d.total, finished_at = at where d.id = asked.id;
  elsif cardinality(named) <= 100 and start_redrive.rate is null then
    perform settle_redrive(asked, 100, true, at);
  end if;
  return query select true, d.id, d.total, d.done, d.refused from redrive d where d.id = asked.id;
end $$;
comment on function millrace.start_redrive(jsonb, text, text, text, jsonb, float8, text, text, uuid) is 'Orders failed runs to be redriven; named ones are at once.';
