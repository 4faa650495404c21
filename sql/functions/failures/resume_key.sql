-- Takes starts of a paused run key again, and counts its failures anew. What was refused meanwhile is not made up for: whoever starts, starts again.
create or replace function millrace.resume_key(slug text, key text, tenant text default null) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  resumed failure_streak;
begin
  if not exists (select from pipeline p where p.slug = resume_key.slug) then
    raise exception 'There is no pipeline ''%''.', resume_key.slug
      using errcode = 'MR002', hint = 'List the pipelines with: npx millrace pipeline list';
  end if;
  delete from failure_streak s
   where s.slug = resume_key.slug and s.key = resume_key.key and s.tenant is not distinct from resume_key.tenant and s.paused_at is not null
  returning s.* into resumed;
  if not found then
    return false;
  end if;
  insert into event (run_id, at, actor, kind, detail)
  values (resumed.run_id, millrace.now(), actor(), 'key.resumed', jsonb_build_object('key', resumed.key));
  perform write_audit('run_key.resumed', 'pipeline', resume_key.slug, jsonb_build_object('run', resumed.run_id));
  return true;
end $$;
comment on function millrace.resume_key(text, text, text) is 'Takes starts of a paused run key again; false where it was not paused.';
