-- Why starts of an input are refused as paused, and what lets them go on, in a sentence; null where they are not.
create or replace function millrace.tell_pause(slug text, input jsonb default null, tenant text default null, version int default null) returns text
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  paused pipeline;
  paused_key failure_streak;
begin
  select p.* into paused from pipeline p where p.slug = tell_pause.slug;
  if not found then
    return null;
  end if;
  if paused.paused_at is not null then
    return format('The pipeline ''%s'' was paused by %s on %s%s; resume it with: npx millrace pipeline resume %s', paused.slug, paused.paused_by,
                  tell_time(paused.paused_at), ': ' || paused.pause_reason, paused.slug);
  end if;
  select s.* into paused_key from failure_streak s
   where s.paused_at is not null and s.slug = tell_pause.slug and s.tenant is not distinct from tell_pause.tenant
     and s.key = (select run_key(v.slug, tell_pause.input, v.key_paths) from pipeline_version v
                   where v.slug = tell_pause.slug and v.version = coalesce(tell_pause.version, paused.active_version));
  if not found then
    return null;
  end if;
  return format('The key ''%s'' of pipeline ''%s'' is paused since %s, when its runs had failed too often in a row, the last one %s; resume it with: npx millrace pipeline resume-key %s %s%s',
                paused_key.key, paused_key.slug, tell_time(paused_key.paused_at), paused_key.run_id, paused_key.slug, quote_literal(paused_key.key),
                ' --tenant ' || quote_literal(paused_key.tenant));
end $$;
comment on function millrace.tell_pause(text, jsonb, text, int) is 'Why starts of an input are refused as paused, and what lets them go on.';
