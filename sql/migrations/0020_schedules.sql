-- Schedules and their firings.

create table millrace.schedule (
  id bigint generated always as identity primary key,
  name text collate "C" not null unique check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,199}$'),
  slug text collate "C" not null references millrace.pipeline,
  tenant text collate "C" check (length(tenant) between 1 and 200),
  cron text check (length(cron) between 1 and 200),
  timezone text check (length(timezone) between 1 and 100),
  every_ms bigint check (every_ms between 1000 and 31622400000),
  every_from timestamptz,
  input jsonb,
  priority smallint not null default 5 check (priority between 1 and 9),
  starts_at timestamptz,
  ends_at timestamptz,
  jitter_ms int not null default 0 check (jitter_ms between 0 and 86400000),
  offset_ms int not null generated always as ((abs(hashtextextended(name, 0) % (jitter_ms::bigint + 1)))::int) stored,
  overlap text not null default 'skip' check (overlap in ('skip', 'queue_one', 'queue_all', 'cancel_other', 'allow')),
  catch_up text not null default 'last' check (catch_up in ('none', 'last', 'all')),
  catch_up_max int not null default 100 check (catch_up_max between 1 and 1000),
  catch_up_window_ms bigint not null default 86400000 check (catch_up_window_ms between 60000 and 31622400000),
  stagger_ms int not null default 0 check (stagger_ms between 0 and 86400000),
  pause_after int check (pause_after between 1 and 1000000),
  expect jsonb check (jsonb_typeof(expect) = 'object'),
  deadline_ms bigint check (deadline_ms between 1000 and 31622400000),
  verify_within_ms bigint check (verify_within_ms between 0 and 31622400000),
  ping_secret text collate "C" check (length(ping_secret) between 1 and 200),
  ping_url text check (length(ping_url) between 1 and 2000),
  source text not null check (source in ('code', 'operator')),
  revision int not null default 1,
  changed_at timestamptz not null,
  changed_by text not null,
  paused_at timestamptz,
  paused_by text,
  pause_reason text check (length(pause_reason) <= 1000),
  passed_from timestamptz,
  passed_until timestamptz,
  retired_at timestamptz,
  fault jsonb check (jsonb_typeof(fault) = 'object'),
  former jsonb check (jsonb_typeof(former) = 'object'),
  evaluated_at timestamptz not null,
  next_slot_at timestamptz,
  due_at timestamptz,
  failures int not null default 0 check (failures >= 0),
  check ((cron is not null) = (timezone is not null) and (every_ms is not null) = (every_from is not null) and (cron is null) <> (every_ms is null)),
  check (ends_at > starts_at),
  check ((paused_at is not null) = (paused_by is not null)),
  check (pause_reason is null or paused_at is not null),
  check ((passed_from is not null) = (passed_until is not null)),
  check (due_at is null or (retired_at is null and paused_at is null and fault is null)),
  check (ping_secret is null or ping_url is null)
) with (fillfactor = 70);
comment on table millrace.schedule is 'When a pipeline is to start by itself. What is ahead is computed by workers, and never stored beyond the next slot.';
comment on column millrace.schedule.name is 'What it is called, once in the installation; a schedule that is defined again after it was removed is the same one.';
comment on column millrace.schedule.offset_ms is 'How long after each slot it is due: a share of jitter_ms that its name decides, so that it is the same whoever works it out.';
comment on column millrace.schedule.every_from is 'Of an interval: the moment from which it is counted.';
comment on column millrace.schedule.catch_up is 'What becomes of slots that nobody was there for: none is run, the last one, or all within the window, catch_up_max at most.';
comment on column millrace.schedule.expect is 'What must be so once its run has completed; null where the end of the run is enough.';
comment on column millrace.schedule.deadline_ms is 'How long after its slot a firing may be without an end before it is overdue.';
comment on column millrace.schedule.ping_secret is 'The secret that holds the address to be pinged by each firing.';
comment on column millrace.schedule.passed_from is 'A pause that has ended, until passed_until: its slots are recorded by the next evaluation.';
comment on column millrace.schedule.fault is 'Why its times can''t be worked out: it fires no more until it is defined anew.';
comment on column millrace.schedule.former is 'The times that held before it was changed, as far as they are not evaluated yet.';
comment on column millrace.schedule.evaluated_at is 'The watermark: each slot until here has its firing, or is counted in one.';
comment on column millrace.schedule.due_at is 'When a worker is to evaluate it next: the next slot and offset_ms. Null while there is nothing to evaluate.';
comment on column millrace.schedule.failures is 'How many of its firings have failed, or stayed unverified, in a row.';
create index schedule_due on millrace.schedule (due_at) where due_at is not null;
create index schedule_of_pipeline on millrace.schedule (slug);
create index schedule_pinged on millrace.schedule (id) where ping_url is not null or ping_secret is not null;
create index schedule_of_tenant on millrace.schedule (tenant) where tenant is not null;

create table millrace.firing (
  id bigint generated always as identity primary key,
  schedule_id bigint not null references millrace.schedule on delete cascade,
  slot_at timestamptz not null,
  until_slot_at timestamptz,
  slots int not null default 1 check (slots > 0),
  overlap text not null check (overlap in ('skip', 'queue_one', 'queue_all', 'cancel_other', 'allow')),
  kind text not null check (kind in ('scheduled', 'catch_up', 'backfill', 'triggered')),
  state text not null check (state in ('queued', 'started', 'skipped', 'missed', 'completed', 'failed', 'verified', 'unverified')),
  reason text check (reason in ('overlap', 'paused', 'too_late', 'too_many', 'refused', 'retired', 'not_caught_up', 'no_start', 'run_failed', 'run_cancelled')),
  refusal text,
  blocked_by uuid,
  run_id uuid,
  input jsonb,
  due_at timestamptz not null,
  begins_at timestamptz,
  fired_at timestamptz not null,
  started_at timestamptz,
  fired_by text not null,
  late_ms bigint not null generated always as ((extract(epoch from fired_at - due_at) * 1000)::bigint) stored,
  ended_at timestamptz,
  closed_at timestamptz,
  expect jsonb check (jsonb_typeof(expect) = 'object'),
  verify_within_ms bigint,
  verify_at timestamptz,
  verified_at timestamptz,
  verification jsonb,
  deadline_at timestamptz,
  overdue_at timestamptz,
  error jsonb,
  unsettled boolean not null default false,
  check ((until_slot_at is not null) = (slots > 1) and (slots = 1 or (until_slot_at > slot_at and state in ('skipped', 'missed')))),
  check ((run_id is not null) = (state in ('started', 'completed', 'verified', 'unverified') or (state = 'failed' and reason in ('run_failed', 'run_cancelled')))),
  check ((reason is not null) = (state in ('skipped', 'missed', 'failed'))),
  check (state <> 'skipped' or reason in ('overlap', 'paused', 'too_late', 'too_many', 'refused', 'retired')),
  check (state <> 'failed' or reason in ('no_start', 'run_failed', 'run_cancelled')),
  check ((started_at is not null) = (run_id is not null)),
  check ((state = 'missed') = (coalesce(reason, '') = 'not_caught_up')),
  check ((refusal is not null) = (coalesce(reason, '') = 'refused')),
  check ((ended_at is not null) = (run_id is not null and state <> 'started')),
  check ((closed_at is not null) = (state in ('skipped', 'missed', 'failed', 'verified', 'unverified') or (state = 'completed' and expect is null))),
  check ((verified_at is not null) = (state in ('verified', 'unverified'))),
  check (state not in ('verified', 'unverified') or expect is not null),
  check (verify_at is null or (state = 'completed' and expect is not null)),
  check (state <> 'failed' or error is not null),
  check (overdue_at is null or deadline_at is not null),
  check (not unsettled or closed_at is not null)
) with (fillfactor = 70);
comment on table millrace.firing is 'One time of a schedule that has come: what was started for it, or why nothing was, and how that ended. What was agreed then stands here, whatever becomes of the schedule.';
comment on column millrace.firing.slot_at is 'The time by the schedule; of one that was triggered, when that was.';
comment on column millrace.firing.until_slot_at is 'Where one row stands for several slots that came to nothing, slots in number: the last of them.';
comment on column millrace.firing.reason is 'Why nothing was started, or how it failed.';
comment on column millrace.firing.refusal is 'Why its start was refused: the word of start_runs.';
comment on column millrace.firing.blocked_by is 'The run that stood in its way, or that it was coalesced with.';
comment on column millrace.firing.due_at is 'When it was to fire: the slot and the schedule''s offset.';
comment on column millrace.firing.begins_at is 'The earliest moment at which it may begin, where it was staggered.';
comment on column millrace.firing.late_ms is 'How long after it was due it was fired, or what had become of it was noticed.';
comment on column millrace.firing.started_at is 'When its run was started; of one that was queued, later than fired_at.';
comment on column millrace.firing.ended_at is 'When its run ended.';
comment on column millrace.firing.closed_at is 'When nothing of it was open any more: a completed run whose expectation is not verified yet is still open.';
comment on column millrace.firing.verify_at is 'When what it is expected to have done is looked for next.';
comment on column millrace.firing.deadline_at is 'When it is overdue if it is not closed by then.';
comment on column millrace.firing.unsettled is 'It was closed, and its schedule does not know it yet: failures in a row are counted then, and what is queued begins. Whoever closes a firing sets it.';
create unique index firing_slot on millrace.firing (schedule_id, slot_at) where slots = 1;
create index firing_of_schedule on millrace.firing (schedule_id, id);
create index firing_run on millrace.firing (run_id) where run_id is not null;
create index firing_open on millrace.firing (schedule_id, slot_at) where state in ('queued', 'started');
create index firing_deadline on millrace.firing (deadline_at) where deadline_at is not null and overdue_at is null and closed_at is null;
create index firing_verification on millrace.firing (verify_at) where verify_at is not null;
create index firing_unsettled on millrace.firing (schedule_id) where unsettled;
create index firing_closed on millrace.firing (closed_at) where closed_at is not null;

alter table millrace.schedule enable row level security;
alter table millrace.firing enable row level security;

create table millrace.ping (
  schedule_id bigint not null references millrace.schedule on delete cascade,
  kind text not null check (kind in ('start', 'end')),
  id bigint not null generated always as identity,
  firing_id bigint not null references millrace.firing on delete cascade,
  signal text not null check (signal in ('start', 'success', 'fail')),
  requested_at timestamptz not null,
  next_at timestamptz,
  attempts int not null default 0 check (attempts between 0 and 20),
  sending boolean not null default false,
  error jsonb check (jsonb_typeof(error) = 'object'),
  primary key (schedule_id, kind),
  check ((kind = 'start') = (signal = 'start')),
  check (next_at is not null or (error is not null and not sending))
);
comment on table millrace.ping is 'What an address outside is still to be told of a schedule: of each kind the latest alone, so that an outage ends in one request and not in thousands.';
comment on column millrace.ping.id is 'Another one each time that a newer firing takes the row''s place, so that a late answer settles nothing of it.';
comment on column millrace.ping.next_at is 'When it is sent; while it is being sent, when that counts as lost. Null once it was given up.';
create index ping_next on millrace.ping (next_at) where next_at is not null;
create index ping_firing on millrace.ping (firing_id);

alter table millrace.ping enable row level security;
