-- Defines a subscription, or changes it; answers its revision, which stays the same where nothing changes. Whoever says which revision they saw
-- changes no other one. settings: event, pipeline, and where wanted tenant, filter, and map, an object of paths by field of the input.
create or replace function millrace.define_subscription(name text, settings jsonb, source text default 'operator', expected_revision int default null)
returns int
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  wanted subscription := read_subscription(define_subscription.name, define_subscription.settings, define_subscription.source);
  known subscription;
begin
  select s.* into known from subscription s where s.name = wanted.name for update;
  perform refuse_subscription_revision(wanted.name, known, define_subscription.expected_revision);
  if known.retired_at is null and (known.event, known.slug, known.tenant, known.filter, known.input_paths, known.source)
       is not distinct from (wanted.event, wanted.slug, wanted.tenant, wanted.filter, wanted.input_paths, wanted.source) then
    return known.revision;
  end if;
  if (select count(*) from subscription s where s.event = wanted.event and s.retired_at is null and s.name <> wanted.name) >= 1000 then
    perform refuse_argument('event', 'one of fewer than 1,000 subscriptions', quote_literal(wanted.event));
  end if;
  insert into subscription as s (name, event, slug, tenant, filter, input_paths, source, changed_at, changed_by)
  values (wanted.name, wanted.event, wanted.slug, wanted.tenant, wanted.filter, wanted.input_paths, wanted.source, at, actor())
      on conflict (name) do update
     set event = excluded.event, slug = excluded.slug, tenant = excluded.tenant, filter = excluded.filter, input_paths = excluded.input_paths,
         source = excluded.source, revision = s.revision + 1, retired_at = null, changed_at = excluded.changed_at, changed_by = excluded.changed_by
  returning s.* into known;
  return known.revision;
end $$;
comment on function millrace.define_subscription(text, jsonb, text, int) is 'Defines a subscription, or changes it; answers its revision.';
