-- Defines the schedules that the code of a worker declares for its pipelines, all at once. What this code declared before and does not any more
-- is removed; of pipelines of other code, and what an operator defined or changed, stays as it is.
create or replace function millrace.define_code_schedules(schedules jsonb, slugs text[])
returns table (name text, change text, revision int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  given record;
  known schedule;
begin
  if jsonb_typeof(schedules) is distinct from 'array' then
    perform refuse_argument('schedules', 'a list of schedules', schedules::text);
  end if;
  if slugs is null or array_position(slugs, null) is not null then
    perform refuse_argument('slugs', 'a list of pipelines', slugs::text);
  end if;
  -- In one order, so that two who start at once don't wait for each other in a circle.
  for given in
    select l.name, l.slug, l.settings from jsonb_to_recordset(schedules) l(name text, slug text, settings jsonb)
    union all
    select s.name, null, null from schedule s
     where s.source = 'code' and s.retired_at is null and s.slug = any (slugs)
       and not exists (select from jsonb_to_recordset(schedules) l(name text) where l.name = s.name)
     order by 1
  loop
    select s.* into known from schedule s where s.name = given.name;
    name := given.name;
    if given.settings is null then
      change := case when remove_schedule(given.name) then 'removed' else 'same' end;
      revision := known.revision;
    elsif known.id is not null and known.retired_at is null and known.source = 'operator' then
      change := 'operator';
      revision := known.revision;
    else
      revision := define_schedule(given.name, given.slug, given.settings, 'code');
      change := case when known.id is not null and known.retired_at is null and revision = known.revision then 'same' else 'defined' end;
    end if;
    return next;
  end loop;
end $$;
comment on function millrace.define_code_schedules(jsonb, text[])
  is 'Defines the schedules that code declares for its pipelines; says of each whether it was defined, is the same, was removed, or is an operator''s.';
