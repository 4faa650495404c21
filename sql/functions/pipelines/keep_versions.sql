-- Trigger: versions of pipelines are never taken away or renamed, since the runs that name them are kept, and do not lock them.
create or replace function millrace.keep_versions() returns trigger
language plpgsql
as $$
begin
  raise exception 'Versions of pipelines are kept: runs name them, and % on % is refused.', tg_op, tg_table_name
    using errcode = 'foreign_key_violation', hint = 'Pause the pipeline instead, or activate another version.';
end $$;
comment on function millrace.keep_versions() is 'Trigger: versions of pipelines are never taken away or renamed.';
