-- What a run shows of itself while it runs: progress, metadata, metrics, and the parts of its stream.

create table millrace.run_metadata (
  run_id uuid not null primary key,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  series text[] not null default '{}' check (cardinality(series) <= 100),
  parts int not null default 0 check (parts between 0 and 100000),
  followed_until timestamptz
) partition by range (run_id);
comment on table millrace.run_metadata is 'What a run says of itself as a whole. Its row is locked while metadata, metrics or parts of the run are written.';
comment on column millrace.run_metadata.series is 'The metrics that it has, each with its labels: what bounds their number.';
comment on column millrace.run_metadata.parts is 'How long its stream is, which is the position of the next part.';
comment on column millrace.run_metadata.followed_until is 'Until then somebody reads its stream, and is notified of new parts.';

create table millrace.step_progress (
  run_id uuid not null,
  step text collate "C" not null,
  item int not null check (item >= -1),
  attempt int not null check (attempt > 0),
  done float8 check (done >= 0 and done < 'infinity'),
  total float8 check (total >= 0 and total < 'infinity'),
  note text check (length(note) <= 200),
  parts int not null default 0 check (parts >= 0),
  at timestamptz not null,
  primary key (run_id, step, item),
  check (done is not null or (total is null and note is null))
) partition by range (run_id);
comment on table millrace.step_progress is 'How far the last attempt at a step, or at an item of a map, says that it is. Its latest word stands.';
comment on column millrace.step_progress.parts is 'How many parts this attempt has written: what is sent again, since its answer was lost, is not written again.';

create table millrace.run_metric (
  run_id uuid not null,
  name text collate "C" not null check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  labels jsonb not null default '{}' check (jsonb_typeof(labels) = 'object'),
  step text collate "C" not null,
  item int not null check (item >= -1),
  attempt int not null check (attempt > 0),
  value float8 not null check (value > '-infinity' and value < 'infinity'),
  at timestamptz not null,
  primary key (run_id, name, labels, step, item)
) partition by range (run_id);
comment on table millrace.run_metric is 'A figure that a step measured. The last value of each step and item stands, so that an attempt made again counts once.';

create table millrace.stream_part (
  run_id uuid not null,
  position int not null check (position between 0 and 99999),
  step text collate "C" not null,
  item int not null check (item >= -1),
  attempt int not null check (attempt > 0),
  value jsonb not null,
  written_at timestamptz not null,
  primary key (run_id, position)
) partition by range (run_id);
comment on table millrace.stream_part is 'A part of the stream that a run writes. Positions have no gap, and a part is seen only when all before it are.';

create table millrace.run_metadata_default partition of millrace.run_metadata default;
create table millrace.step_progress_default partition of millrace.step_progress default;
create table millrace.run_metric_default partition of millrace.run_metric default;
create table millrace.stream_part_default partition of millrace.stream_part default;

alter table millrace.run_metadata enable row level security;
alter table millrace.run_metadata_default enable row level security;
alter table millrace.step_progress enable row level security;
alter table millrace.step_progress_default enable row level security;
alter table millrace.run_metric enable row level security;
alter table millrace.run_metric_default enable row level security;
alter table millrace.stream_part enable row level security;
alter table millrace.stream_part_default enable row level security;
