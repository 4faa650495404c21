-- A change that was decided on a look at an older revision of a watch, or on there being none, is refused with what there is now. The watch stays
-- locked, so whoever asks before a change in the same transaction changes what they saw.
create or replace function millrace.refuse_watch_revision(name text, expected_revision int) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  found_revision int;
begin
  select w.revision into found_revision from change_watch w where w.name = refuse_watch_revision.name for update;
  if coalesce(found_revision, 0) <> expected_revision then
    raise exception 'Watch ''%'' was changed since: you saw its revision %, and it is at %.', name, expected_revision, coalesce(found_revision, 0)
      using errcode = 'MR030', hint = 'Look at it again, and decide anew: npx millrace watch list',
            detail = jsonb_build_object('name', name, 'seen', expected_revision, 'revision', coalesce(found_revision, 0))::text;
  end if;
end $$;
comment on function millrace.refuse_watch_revision(text, int) is 'Refuses a change that was decided on an older revision of a watch.';
