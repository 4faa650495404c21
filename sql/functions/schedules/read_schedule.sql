-- Reads the settings of a schedule, and refuses what could not be held to. Whether a pattern and its time zone can be read, workers say: nothing
-- here knows cron.
create or replace function millrace.read_schedule(name text, slug text, settings jsonb) returns millrace.schedule
language plpgsql stable
as $$
#variable_conflict use_column
declare
  wanted schedule;
  unknown text;
  wrong text;
begin
  if name is null or name !~ '^[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,199}$' then
    raise exception 'A schedule can''t be called %.', coalesce(quote_literal(name), 'null')
      using errcode = 'MR101', hint = 'Begin with a letter or a digit, and go on with these and _ . : / @ -; 200 characters are the most.';
  end if;
  if jsonb_typeof(settings) is distinct from 'object' then
    perform refuse_argument('settings', 'a JSON object', settings::text);
  end if;
  select k into unknown from jsonb_object_keys(settings) k
   where k <> all (array['tenant', 'cron', 'timezone', 'every_ms', 'every_from', 'input', 'priority', 'starts_at', 'ends_at', 'jitter_ms', 'overlap', 'catch_up',
                         'catch_up_max', 'catch_up_window_ms', 'stagger_ms', 'pause_after', 'expect', 'deadline_ms', 'verify_within_ms', 'ping_secret', 'ping_url'])
   order by k limit 1;
  if found then
    raise exception 'Schedule ''%'' takes no ''%''.', name, unknown using errcode = 'MR101', hint = 'Leave it out, or correct its name.';
  end if;
  begin
    select * into wanted from jsonb_populate_record(null::schedule, jsonb_strip_nulls(settings - 'input'));
  exception when data_exception then
    raise exception 'A setting of schedule ''%'' can''t be read: %.', name, sqlerrm using errcode = 'MR101', hint = 'Correct it, and define the schedule again.';
  end;
  wanted.name := name;
  wanted.slug := slug;
  -- A null that was given is an input, and one in what is expected is a value.
  wanted.input := settings -> 'input';
  wanted.expect := nullif(settings -> 'expect', 'null');
  if wanted.cron is not null then
    wanted.timezone := coalesce(wanted.timezone, 'UTC');
  end if;
  wanted.priority := coalesce(wanted.priority, 5);
  wanted.jitter_ms := coalesce(wanted.jitter_ms, 0);
  wanted.overlap := coalesce(wanted.overlap, 'skip');
  wanted.catch_up := coalesce(wanted.catch_up, 'last');
  wanted.catch_up_max := coalesce(wanted.catch_up_max, 100);
  wanted.catch_up_window_ms := coalesce(wanted.catch_up_window_ms, 86400000);
  wanted.stagger_ms := coalesce(wanted.stagger_ms, 0);
  wrong := case
    when (wanted.cron is null) = (wanted.every_ms is null) then 'it takes either cron or every_ms'
    when wanted.cron is null and wanted.timezone is not null then 'a plain interval has no timezone'
    when wanted.every_ms is null and wanted.every_from is not null then 'only a plain interval has every_from'
    when length(wanted.cron) not between 1 and 200 then 'cron must be of 1 to 200 characters'
    when length(wanted.timezone) not between 1 and 100 then 'timezone must be of 1 to 100 characters'
    when wanted.every_ms not between 1000 and 31622400000 then 'every_ms must be from 1,000 to 31,622,400,000 (366 days)'
    when length(wanted.tenant) not between 1 and 200 then 'tenant must be of 1 to 200 characters'
    when wanted.priority not between 1 and 9 then 'priority must be from 1, first, to 9, last'
    when not isfinite(wanted.starts_at) or not isfinite(wanted.ends_at) or not isfinite(wanted.every_from)
      then 'starts_at, ends_at and every_from must be times that come'
    when wanted.ends_at <= wanted.starts_at then 'ends_at must be later than starts_at'
    when wanted.jitter_ms not between 0 and 86400000 then 'jitter_ms must be from 0 to 86,400,000 (a day)'
    when wanted.overlap not in ('skip', 'queue_one', 'queue_all', 'cancel_other', 'allow') then 'overlap must be skip, queue_one, queue_all, cancel_other or allow'
    when wanted.catch_up not in ('none', 'last', 'all') then 'catch_up must be none, last or all'
    when wanted.catch_up_max not between 1 and 1000 then 'catch_up_max must be from 1 to 1,000'
    when wanted.catch_up_window_ms not between 60000 and 31622400000 then 'catch_up_window_ms must be from 60,000 to 31,622,400,000 (366 days)'
    when wanted.stagger_ms not between 0 and 86400000 then 'stagger_ms must be from 0 to 86,400,000 (a day)'
    when wanted.pause_after not between 1 and 1000000 then 'pause_after must be from 1 to 1,000,000'
    when expect_fault(wanted.expect) is not null then expect_fault(wanted.expect)
    when wanted.deadline_ms not between 1000 and 31622400000 then 'deadline_ms must be from 1,000 to 31,622,400,000 (366 days)'
    when wanted.deadline_ms <= wanted.jitter_ms then 'deadline_ms must be longer than jitter_ms: it counts from the slot, after which it may fire so late'
    when wanted.verify_within_ms not between 0 and 31622400000 then 'verify_within_ms must be from 0 to 31,622,400,000 (366 days)'
    when wanted.verify_within_ms is not null and wanted.expect is null then 'verify_within_ms goes with expect'
    when wanted.ping_secret is not null and wanted.ping_url is not null then 'it takes either ping_secret or ping_url'
    when length(wanted.ping_secret) not between 1 and 200 then 'ping_secret must be of 1 to 200 characters'
    when length(wanted.ping_url) not between 1 and 2000 then 'ping_url must be of 1 to 2,000 characters'
    when wanted.ping_url !~* '^https?://' then 'ping_url must be an https address'
    end;
  if wrong is not null then
    raise exception 'Schedule ''%'' is refused: %.', name, wrong using errcode = 'MR101', hint = 'Correct it, and define the schedule again.';
  end if;
  return wanted;
end $$;
comment on function millrace.read_schedule(text, text, jsonb) is 'Reads the settings of a schedule, and refuses what could not be held to.';
