-- Versions side by side: how starts are split among them.

alter table millrace.pipeline
  add column split_path jsonb check (jsonb_typeof(split_path) = 'array'),
  add column split_at timestamptz,
  add check ((split_path is null) = (split_at is null));
comment on column millrace.pipeline.split_path is 'Its starts without a version are split among several: the path into the input whose value decides, or [] for the run''s own id; null where they are not.';
comment on column millrace.pipeline.split_at is 'When the split, or its weights, were last set.';

create table millrace.pipeline_share (
  slug text collate "C" not null,
  version int not null,
  weight int not null check (weight between 1 and 1000000),
  primary key (slug, version),
  foreign key (slug, version) references millrace.pipeline_version (slug, version)
);
comment on table millrace.pipeline_share is 'The versions among which the starts of a pipeline are split, each with its weight.';

create table millrace.pipeline_bucket (
  slug text collate "C" not null,
  bucket smallint not null check (bucket between 0 and 999),
  version int not null,
  since int not null,
  primary key (slug, bucket),
  foreign key (slug, version) references millrace.pipeline_share (slug, version)
);
comment on table millrace.pipeline_bucket is 'Which version gets each thousandth of the keys: the hash of a key names its bucket, and only buckets change hands when weights do.';
comment on column millrace.pipeline_bucket.since is 'The change of weights that gave it to its version: what came last is given back first.';
create index pipeline_bucket_version on millrace.pipeline_bucket (slug, version);

alter type millrace.start_version add attribute is_split boolean;

alter table millrace.pipeline_share enable row level security;
alter table millrace.pipeline_bucket enable row level security;
