-- Which starts of a batch are refused and why: a paused pipeline, an idempotency key seen before, a run key that is live or paused.
-- What it lets pass has its keys taken. Nothing is read or written for pipelines that use no keys.
create or replace function millrace.refuse_starts(
  run_ids uuid[], slugs text[], versions int[], inputs jsonb[], tenants text[],
  idempotency_keys text[], idempotency_seconds int[], at timestamptz)
returns table (place int, reason text, live_run_id uuid)
language plpgsql
as $$
#variable_conflict use_column
declare
  refused int[] := array[]::int[];
  repeated_places int[] := array[]::int[];
  repeated_reasons text[] := array[]::text[];
  repeated_runs uuid[] := array[]::uuid[];
begin
  for place in
    select g.place from unnest(slugs) with ordinality g(slug, place)
     where exists (select from pipeline where paused_at is not null)
       and exists (select from pipeline p where p.slug = g.slug and p.paused_at is not null)
       -- A start that is asked again began before the pause.
       and not exists (select from run r where r.id = any (array[run_ids[g.place]]))
  loop
    reason := 'paused';
    refused := refused || place;
    return next;
  end loop;

  if idempotency_keys is not null then
    for place, reason, live_run_id in
      select * from take_idempotency_keys(run_ids, slugs, inputs, tenants, idempotency_keys, idempotency_seconds, refused, at)
    loop
      refused := refused || place;
      repeated_places := repeated_places || place;
      repeated_reasons := repeated_reasons || reason;
      repeated_runs := repeated_runs || live_run_id;
    end loop;
  end if;

  if exists (select from (select distinct slug, version from unnest(slugs, versions) u(slug, version)) g
               join pipeline p on p.slug = g.slug
               join pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version)
              where v.key_paths <> '[]') then
    for place, reason, live_run_id in
      select k.place, 'live', k.live_run_id from take_run_keys(run_ids, slugs, versions, inputs, tenants, refused) k
      union all
      select k.place, 'paused', null from refuse_paused_keys(run_ids) k
    loop
      return next;
      -- A start that the run key refused has used up no idempotency key, and its repetition in this batch is refused with it.
      if idempotency_keys[place] is not null then
        delete from idempotency i
         where i.slug = slugs[place] and i.key = idempotency_keys[place] and i.tenant is not distinct from tenants[place]
           and i.run_id = run_ids[place];
        repeated_reasons := array(select case when g.run_id = run_ids[place] then refuse_starts.reason else g.reason end
                                    from unnest(repeated_reasons, repeated_runs) with ordinality g(reason, run_id, n) order by g.n);
        repeated_runs := array_replace(repeated_runs, run_ids[place], live_run_id);
      end if;
    end loop;
  end if;
  return query select * from unnest(repeated_places, repeated_reasons, repeated_runs);
end $$;
comment on function millrace.refuse_starts(uuid[], text[], int[], jsonb[], text[], text[], int[], timestamptz)
  is 'Which starts of a batch are refused, and why; what passes has its keys taken.';
