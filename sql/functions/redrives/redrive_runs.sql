-- Redrives some of the failed runs that a redrive is about, and answers for each: redriven (with the run that took its place, if one did), or why
-- not. Whoever comes second to a run finds that it has not failed any more, or that another run took its place: its row's lock decides. Locks
-- are taken in the order of all others, after that of the redrive's own row, which nobody asks for with any of them in hand. Without waiting, a
-- run that somebody has at hand is in no row of the answer.
create or replace function millrace.redrive_runs(asked millrace.redrive, run_ids uuid[], failed_ats timestamptz[], waiting boolean, at timestamptz)
returns table (run_id uuid, new_run_id uuid, reason text, detail text)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  locked uuid[];
  in_place uuid[];
  in_place_ats timestamptz[];
  anew uuid[];
  anew_ats timestamptz[];
  faulty uuid[];
  taken uuid[];
begin
  if waiting then
    perform lock_run_tasks(run_ids);
    locked := array(select r.id from run r where r.id = any (run_ids) order by r.id for update);
  else
    locked := run_ids;
    if exists (select from task t where t.run_id = any (run_ids)) then
      with held as materialized (
        select t.id, t.run_id from task t where t.run_id = any (run_ids) order by t.id for update skip locked
      )
      select array_agg(g.id) into locked from unnest(run_ids) g(id)
       where (select count(*) from task t where t.run_id = any (array[g.id])) = (select count(*) from held h where h.run_id = g.id);
    end if;
    locked := array(select r.id from run r where r.id = any (locked) order by r.id for update skip locked);
  end if;
  if cardinality(locked) < cardinality(run_ids) then
    return query
      select g.id, null::uuid, 'unknown', 'There is no such run any more.' from unnest(run_ids) g(id)
       where not exists (select from run r where r.id = any (array[g.id]));
  end if;
  select array_agg(g.id) filter (where g.stays), array_agg(g.failed_at) filter (where g.stays),
         array_agg(g.id) filter (where not g.stays), array_agg(g.failed_at) filter (where not g.stays)
    into in_place, in_place_ats, anew, anew_ats
    from (select u.id, u.failed_at, goes_on_in_place(asked.restart, asked.input is not null, asked.version, r.version, p.active_version) as stays
            from unnest(run_ids, failed_ats) u(id, failed_at) join run r on r.id = any (array[u.id]) join pipeline p on p.slug = r.slug
           where cardinality(locked) = cardinality(run_ids) or u.id = any (locked)) g;

  if in_place is not null then
    faulty := '{}';
    for run_id, reason, detail in select f.run_id, f.reason, f.detail from redrive_faults(in_place, in_place_ats, true) f loop
      faulty := faulty || run_id;
      return next;
    end loop;
    -- Of failed runs with one key only the first gets it; who starts one at the same time is waited for.
    with keyed as (
      insert into live_key (slug, tenant, key, run_id)
      select r.slug, r.tenant, r.key, r.id from run r where r.id = any (in_place) and r.id <> all (faulty) and r.key is not null
       order by r.slug, r.tenant, r.key, r.id
          on conflict (slug, key, tenant) do nothing
      returning run_id
    )
    select coalesce(array_agg(k.run_id), '{}') into taken from keyed k;
    for run_id, reason, detail in
      -- No row where no run has a key.
      select r.id, 'live', coalesce(format('Its run key is that of live run %s.', k.run_id), 'Its run key was taken at the same time.')
        from run r left join live_key k on k.slug = r.slug and k.key = r.key and k.tenant is not distinct from r.tenant
       where r.id = any (in_place) and r.id <> all (faulty) and r.key is not null and r.id <> all (taken)
    loop
      faulty := faulty || run_id;
      return next;
    end loop;
    in_place := array(select i from unnest(in_place) i where i <> all (faulty));
    perform continue_failed_runs(in_place, asked.id, asked.reason, at);
    return query select i, null::uuid, null::text, null::text from unnest(in_place) i;
  end if;

  if anew is not null then
    faulty := '{}';
    for run_id, reason, detail in select f.run_id, f.reason, f.detail from redrive_faults(anew, anew_ats, false) f loop
      faulty := faulty || run_id;
      return next;
    end loop;
    anew := array(select i from unnest(anew) i where i <> all (faulty));
    return query
      select c.of_run, c.new_run, c.refusal, c.detail
        from copy_runs(anew, array(select uuid_v7(at) from generate_series(1, cardinality(anew))), 'redrive', asked.version, asked.restart, asked.step, asked.input,
                       false, asked.id, asked.reason, at) c;
  end if;
end $$;
comment on function millrace.redrive_runs(millrace.redrive, uuid[], timestamptz[], boolean, timestamptz) is 'Redrives some of the failed runs that a redrive is about, and answers for each.';
