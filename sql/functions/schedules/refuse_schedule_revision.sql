-- Refuses a change of a schedule that was decided on another revision than the one it has; 0 is that of a schedule that does not exist.
create or replace function millrace.refuse_schedule_revision(name text, known millrace.schedule, expected_revision int) returns void
language plpgsql stable
as $$
declare
  standing int := case when (known).retired_at is null then coalesce((known).revision, 0) else 0 end;
begin
  if expected_revision <> standing then
    raise exception 'Schedule ''%'' was changed since: you saw its revision %, and it is at %.', name, expected_revision, standing
      using errcode = 'MR030', hint = 'Look at it again, and decide anew.',
            detail = jsonb_build_object('schedule', name, 'seen', expected_revision, 'revision', standing)::text;
  end if;
end $$;
comment on function millrace.refuse_schedule_revision(text, millrace.schedule, int) is 'Refuses a change that was decided on an older revision of a schedule.';
