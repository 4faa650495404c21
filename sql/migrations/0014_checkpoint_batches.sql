-- Results that were stored together share a row, and a row is held against few constraints: PostgreSQL reads the text of each anew in every
-- statement that inserts, and a step of a thousand operations inserts a thousand times.

alter table millrace.checkpoint
  add column more_names text[] collate "C",
  add column more_values jsonb[],
  drop constraint checkpoint_item_check,
  drop constraint checkpoint_name_check,
  drop constraint checkpoint_place_check,
  drop constraint checkpoint_attempt_check,
  drop constraint checkpoint_check,
  add constraint checkpoint_check check (
    item >= -1 and place >= 0 and attempt > 0 and length(name) between 1 and 200 and (value is null) = (error is not null)
    and coalesce(cardinality(more_names), 0) = coalesce(cardinality(more_values), 0));
comment on column millrace.checkpoint.more_names is 'Results of the same step that were stored with this one, and come after it; read_checkpoints takes them apart.';
