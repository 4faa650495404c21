-- For executors outside: one live run of this key, started if there is none. With silence_seconds it fails when nothing is heard of it
-- for so long.
create or replace function millrace.ensure_run(
  slug text, input jsonb default null, id uuid default null, version int default null, tenant text default null, headers jsonb default null,
  silence_seconds int default null)
returns table (created boolean, reason text, run_id uuid)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  answer record;
begin
  if ensure_run.silence_seconds not between 1 and 31536000 then
    raise exception 'The start of ''%'' is refused: silence_seconds must be from 1 to 31,536,000, not %.', ensure_run.slug, ensure_run.silence_seconds
      using errcode = 'MR013', hint = 'Correct the argument, or leave it out.';
  end if;
  select * into answer
    from start_run(ensure_run.slug, ensure_run.input, ensure_run.id, ensure_run.version, 5, ensure_run.tenant, ensure_run.headers, started_via => 'outside');
  if answer.created and ensure_run.silence_seconds is not null then
    -- Asked again under its own id, the run may have ended by now: a deadline that comes after its end nobody would remove. And the id may be that of
    -- a run which workers have at hand: of that nothing would be heard here, however well it goes.
    insert into run_deadline (run_id, silence_seconds, deadline_at)
    select r.id, ensure_run.silence_seconds, millrace.now() + make_interval(secs => ensure_run.silence_seconds)
      from (select id from run where id = answer.run_id and finished_at is null and started_via = 'outside' for share) r
        on conflict do nothing;
  end if;
  return query select answer.created, answer.reason, answer.run_id;
end $$;
comment on function millrace.ensure_run(text, jsonb, uuid, int, text, jsonb, int) is 'One live run of this key, started if there is none.';
