-- Ends a redrive before it is through: what is done stays done, the rest stays as it is. It waits for a batch that is under way. True where
-- something was left to do.
create or replace function millrace.abort_redrive(id uuid) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  ended timestamptz;
begin
  select d.finished_at into ended from redrive d where d.id = abort_redrive.id for update;
  if not found then
    raise exception 'There is no redrive %.', abort_redrive.id using errcode = 'MR032', hint = 'List them with: npx millrace redrive list';
  end if;
  if ended is not null then
    return false;
  end if;
  update redrive d set finished_at = at, input = null, aborted_at = at, aborted_by = actor() where d.id = abort_redrive.id;
  return true;
end $$;
comment on function millrace.abort_redrive(uuid) is 'Ends a redrive before it is through; false where nothing was left to do.';
