-- The watches that the code of a worker declares for its pipelines, as a set: those of these pipelines that it declares no more are retired, and
-- what an operator has defined or changed stays theirs. Answers how each stands, with what is wrong with its capture.
create or replace function millrace.define_code_watches(watches jsonb, slugs text[])
returns table (name text, change text, problems text[])
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  given record;
  found_watch change_watch;
begin
  if jsonb_typeof(watches) is distinct from 'array' or jsonb_array_length(watches) > 1000 then
    perform refuse_argument('watches', 'a list of 1,000 watches at most', left(watches::text, 100));
  end if;
  -- In one order, so that two who start at once don't wait for each other in a circle.
  for given in
    select g.name, g.settings from jsonb_to_recordset(watches) g(name text, settings jsonb)
    union all
    select w.name, null from change_watch w
     where w.source = 'code' and w.retired_at is null and w.slug = any (slugs)
       and not exists (select from jsonb_to_recordset(watches) g(name text) where g.name = w.name)
     order by 1
  loop
    name := given.name;
    select w.* into found_watch from change_watch w where w.name = given.name;
    if given.settings is null then
      update change_watch w set retired_at = millrace.now(), revision = w.revision + 1 where w.name = given.name and w.retired_at is null;
      change := 'retired';
    elsif found_watch.source = 'operator' then
      change := 'operator';
    else
      change := case when define_watch(given.name, given.settings, 'code') is distinct from found_watch.revision then 'defined' else 'same' end;
    end if;
    select watch_problems(w) into problems from change_watch w where w.name = given.name;
    return next;
  end loop;
end $$;
comment on function millrace.define_code_watches(jsonb, text[]) is 'The watches that code declares for its pipelines, as a set.';
