-- Defines a schedule, or changes it; answers its revision, which stays the same where nothing changes. Whoever says which revision they saw changes
-- no other one. New times hold from now on: what was due before by the old ones, and nobody has evaluated yet, is still evaluated by them.
create or replace function millrace.define_schedule(
  name text, slug text, settings jsonb, source text default 'operator', expected_revision int default null)
returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := date_trunc('milliseconds', millrace.now());
  wanted schedule := read_schedule(define_schedule.name, define_schedule.slug, define_schedule.settings);
  known schedule;
  retimed boolean;
begin
  if define_schedule.source is null or define_schedule.source not in ('code', 'operator') then
    perform refuse_argument('source', 'code or operator', define_schedule.source);
  end if;
  if not exists (select from pipeline p where p.slug = define_schedule.slug) then
    raise exception 'There is no pipeline ''%'', which schedule ''%'' starts.', define_schedule.slug, left(define_schedule.name, 200)
      using errcode = 'MR002', hint = 'Register it: start a worker that serves it, or call register_pipeline.';
  end if;
  if exists (select from pipeline p join pipeline_version v on v.slug = p.slug and v.version = p.active_version
              where p.slug = define_schedule.slug and v.is_encrypted) then
    raise exception 'Schedule ''%'' is refused: pipeline ''%'' is encrypted, and the input of a schedule lies in the clear.', define_schedule.name, define_schedule.slug
      using errcode = 'MR101', hint = 'Schedule a pipeline without encryption, a step of which calls this one: durable.call(pipeline, input, { detached: true }).';
  end if;
  select s.* into known from schedule s where s.name = define_schedule.name for update;
  perform refuse_schedule_revision(define_schedule.name, known, define_schedule.expected_revision);
  -- Workers run such a query with their own rights, and what it finds is kept for all to read: so nobody without these rights may write one.
  if wanted.expect ? 'query' and wanted.expect is distinct from known.expect
     and exists (select from pg_roles r where r.rolname = 'millrace_worker' and not pg_has_role(session_user, r.oid, 'member')) then
    raise exception 'Schedule ''%'' is refused: the query of its expect would be run with the rights of workers, which % has not.', define_schedule.name, session_user
      using errcode = 'MR101', hint = 'Declare it in code, or define it as a role that is granted millrace_worker.';
  end if;
  if wanted.every_ms is not null then
    wanted.every_from := date_trunc('milliseconds', coalesce(wanted.every_from, case when known.every_ms = wanted.every_ms then known.every_from end, at));
  end if;
  if known.id is null then
    insert into schedule (name, slug, tenant, cron, timezone, every_ms, every_from, input, priority, starts_at, ends_at, jitter_ms, overlap, catch_up,
                          catch_up_max, catch_up_window_ms, stagger_ms, pause_after, expect, deadline_ms, verify_within_ms, ping_secret, ping_url,
                          source, changed_at, changed_by, evaluated_at, due_at)
    values (wanted.name, wanted.slug, wanted.tenant, wanted.cron, wanted.timezone, wanted.every_ms, wanted.every_from, wanted.input, wanted.priority,
            wanted.starts_at, wanted.ends_at, wanted.jitter_ms, wanted.overlap, wanted.catch_up, wanted.catch_up_max, wanted.catch_up_window_ms,
            wanted.stagger_ms, wanted.pause_after, wanted.expect, wanted.deadline_ms, wanted.verify_within_ms, wanted.ping_secret, wanted.ping_url,
            define_schedule.source, at, actor(), at, at)
        on conflict (name) do nothing;
    if found then
      return 1;
    end if;
    -- Somebody else was first: then it is changed. A snapshot of before that can't see it: there the insert has raised a serialization failure.
    return define_schedule(define_schedule.name, define_schedule.slug, define_schedule.settings, define_schedule.source, define_schedule.expected_revision);
  end if;
  -- One that was faulty is tried again: the machine that could not read it may be another one by now.
  if known.retired_at is null and known.fault is null
     and (known.slug, known.tenant, known.cron, known.timezone, known.every_ms, known.every_from, known.input, known.priority, known.starts_at, known.ends_at,
          known.jitter_ms, known.overlap, known.catch_up, known.catch_up_max, known.catch_up_window_ms, known.stagger_ms, known.pause_after, known.expect,
          known.deadline_ms, known.verify_within_ms, known.ping_secret, known.ping_url, known.source)
     is not distinct from
         (wanted.slug, wanted.tenant, wanted.cron, wanted.timezone, wanted.every_ms, wanted.every_from, wanted.input, wanted.priority, wanted.starts_at,
          wanted.ends_at, wanted.jitter_ms, wanted.overlap, wanted.catch_up, wanted.catch_up_max, wanted.catch_up_window_ms, wanted.stagger_ms,
          wanted.pause_after, wanted.expect, wanted.deadline_ms, wanted.verify_within_ms, wanted.ping_secret, wanted.ping_url, define_schedule.source) then
    return known.revision;
  end if;
  retimed := schedule_times(known) <> schedule_times(wanted);
  update schedule s
     set slug = wanted.slug, tenant = wanted.tenant, cron = wanted.cron, timezone = wanted.timezone, every_ms = wanted.every_ms, every_from = wanted.every_from,
         input = wanted.input, priority = wanted.priority, starts_at = wanted.starts_at, ends_at = wanted.ends_at, jitter_ms = wanted.jitter_ms,
         overlap = wanted.overlap, catch_up = wanted.catch_up, catch_up_max = wanted.catch_up_max, catch_up_window_ms = wanted.catch_up_window_ms,
         stagger_ms = wanted.stagger_ms, pause_after = wanted.pause_after, expect = wanted.expect, deadline_ms = wanted.deadline_ms,
         verify_within_ms = wanted.verify_within_ms, ping_secret = wanted.ping_secret, ping_url = wanted.ping_url, source = define_schedule.source,
         revision = s.revision + 1, changed_at = at, changed_by = actor(), retired_at = null,
         -- Runs that outlived the schedule may have failed meanwhile.
         failures = case when s.retired_at is null then s.failures else 0 end,
         -- A schedule that comes back has missed nothing while it was not there, and by new times nothing while the old ones could not be read.
         evaluated_at = case when s.retired_at is not null or (s.fault is not null and retimed) then greatest(at, s.evaluated_at) else s.evaluated_at end,
         former = case when s.retired_at is not null or s.fault is not null then null
                        when s.former is not null then s.former
                        when retimed then schedule_times(known) || jsonb_build_object('until', greatest(at, s.evaluated_at)) end,
         fault = null, next_slot_at = null,
         due_at = case when s.paused_at is null then at end
   where s.id = known.id;
  -- What could not be sent to an address says nothing of another one, or of none.
  if (known.ping_url, known.ping_secret) is distinct from (wanted.ping_url, wanted.ping_secret) then
    delete from ping p where p.schedule_id = known.id and (p.next_at is null or num_nonnulls(wanted.ping_url, wanted.ping_secret) = 0);
  end if;
  return known.revision + 1;
end $$;
comment on function millrace.define_schedule(text, text, jsonb, text, int) is 'Defines a schedule, or changes it; answers its revision.';
