-- Defines the subscriptions that the code of a worker declares for its pipelines, as a set: who starts calls it each time, so where nothing has
-- changed it changes nothing. What the code declared before for one of these pipelines and doesn't any more is retired. What an operator defined
-- or changed stays theirs.
create or replace function millrace.define_code_subscriptions(subscriptions jsonb, slugs text[])
returns table (name text, change text, revision int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  given record;
  known subscription;
begin
  if jsonb_typeof(subscriptions) is distinct from 'array' then
    perform refuse_argument('subscriptions', 'a list', left(subscriptions::text, 200));
  end if;
  if slugs is null or array_position(slugs, null) is not null then
    perform refuse_argument('slugs', 'a list of pipelines', slugs::text);
  end if;
  -- In one order, so that two who start at once don't wait for each other in a circle.
  for given in
    select g.name, g.settings from jsonb_to_recordset(subscriptions) g(name text, settings jsonb)
    union all
    select s.name, null from subscription s
     where s.source = 'code' and s.retired_at is null and s.slug = any (slugs)
       and not exists (select from jsonb_to_recordset(subscriptions) g(name text) where g.name = s.name)
     order by 1
  loop
    name := given.name;
    select s.* into known from subscription s where s.name = given.name for update;
    if given.settings is null then
      update subscription s set retired_at = millrace.now(), revision = s.revision + 1, changed_at = millrace.now(), changed_by = actor()
       where s.name = given.name and s.retired_at is null returning s.revision into revision;
      change := 'retired';
    elsif known.source = 'operator' and known.retired_at is null then
      change := 'operator';
      revision := known.revision;
    else
      revision := define_subscription(given.name, given.settings, 'code');
      change := case when known.retired_at is null and revision = known.revision then 'same' else 'defined' end;
    end if;
    return next;
  end loop;
end $$;
comment on function millrace.define_code_subscriptions(jsonb, text[]) is 'Defines the subscriptions that code declares for its pipelines, as a set; says of each what became of it.';
