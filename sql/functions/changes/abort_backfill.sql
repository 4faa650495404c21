-- Ends a backfill before it is through: what was told stays told. True where something was left to do.
create or replace function millrace.abort_backfill(backfill_id int) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
begin
  if not exists (select from change_backfill b where b.id = abort_backfill.backfill_id) then
    raise exception 'There is no backfill %.', abort_backfill.backfill_id using errcode = 'MR141', hint = 'See those of a watch with: npx millrace watch show NAME';
  end if;
  update change_backfill b set state = 'cancelled', finished_at = millrace.now() where b.id = abort_backfill.backfill_id and b.state = 'open';
  if not found then
    return false;
  end if;
  perform write_audit('backfill.aborted', 'backfill', abort_backfill.backfill_id::text);
  return true;
end $$;
comment on function millrace.abort_backfill(int) is 'Ends a backfill before it is through.';
