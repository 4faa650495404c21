-- Registers the webhooks that code declares. A worker brings its whole set: what a worker registered before for one of these pipelines and the set
-- lacks now is retired. A handler brings what it serves, and retires nothing. Answers what differs from before.
create or replace function millrace.define_webhooks(webhooks jsonb, slugs text[] default null)
returns table (name text, change text, revision int)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  given record;
  found_webhook webhook;
begin
  if jsonb_typeof(define_webhooks.webhooks) is distinct from 'array' or jsonb_array_length(define_webhooks.webhooks) > 1000 then
    perform refuse_argument('webhooks', 'a list of at most 1,000 webhooks', left(define_webhooks.webhooks::text, 100));
  end if;
  -- In one order, so that two who start at once don't wait for each other in a circle.
  for given in
    select g.name, g.provider, array(select jsonb_array_elements_text(g.pipelines)) as pipelines, array(select jsonb_array_elements_text(g.secrets)) as secrets,
           g.settings, g.kept_days, true as is_declared
      from jsonb_to_recordset(define_webhooks.webhooks) g(name text, provider text, pipelines jsonb, secrets jsonb, settings jsonb, kept_days int)
    union all
    select w.name, null, null, null, null, null, false
      from webhook w
     where w.by_worker and w.retired_at is null and w.pipelines && slugs
       and not exists (select from jsonb_to_recordset(define_webhooks.webhooks) g(name text) where g.name = w.name)
     order by 1
  loop
    name := given.name;
    select w.* into found_webhook from webhook w where w.name = given.name;
    if not given.is_declared then
      update webhook w set retired_at = at, changed_at = at, changed_by = actor(), revision = w.revision + 1
       where w.name = given.name and w.retired_at is null returning w.revision into revision;
      change := 'retired';
    elsif (found_webhook.provider, found_webhook.pipelines, found_webhook.secrets, found_webhook.settings, found_webhook.kept_days, found_webhook.retired_at)
          is not distinct from (given.provider, given.pipelines, given.secrets, given.settings, given.kept_days, null::timestamptz)
          and found_webhook.by_worker = (slugs is not null or found_webhook.by_worker) then
      continue;
    else
      insert into webhook as w (name, provider, pipelines, secrets, settings, kept_days, by_worker, revision, created_at, changed_at, changed_by)
      values (given.name, given.provider, given.pipelines, given.secrets, given.settings, given.kept_days, slugs is not null, 1, at, at, actor())
          on conflict (name) do update
         set provider = excluded.provider, pipelines = excluded.pipelines, secrets = excluded.secrets, settings = excluded.settings,
             kept_days = excluded.kept_days, by_worker = w.by_worker or excluded.by_worker, revision = w.revision + 1, changed_at = at,
             changed_by = actor(), retired_at = null
       where (w.provider, w.pipelines, w.secrets, w.settings, w.kept_days, w.retired_at, w.by_worker) is distinct from
             (excluded.provider, excluded.pipelines, excluded.secrets, excluded.settings, excluded.kept_days, null::timestamptz, w.by_worker or excluded.by_worker)
      returning w.revision into revision;
      -- Somebody else brought the same just now.
      continue when not found;
      change := case when revision = 1 then 'defined' else 'changed' end;
    end if;
    return next;
  end loop;
end $$;
comment on function millrace.define_webhooks(jsonb, text[]) is 'Registers the webhooks that code declares; with the pipelines of a worker also retires those that its set lacks.';
