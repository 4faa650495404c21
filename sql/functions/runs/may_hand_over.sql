-- Whether starts may come back already leased to the worker of their own process: it is alive and takes work, has room, serves
-- all of it, nothing is paused, and nothing that it could claim stands ahead.
create or replace function millrace.may_hand_over(worker_id uuid, lock_key int, slugs text[], versions int[], priorities smallint[], room int)
returns boolean
language plpgsql
as $$
#variable_conflict use_column
declare
  served int[];
begin
  if not enter_worker(worker_id, lock_key) then
    return false;
  end if;
  select w.handlers into served from worker w
   where w.id = worker_id and w.state in ('idle', 'running') and w.ordered_state is null;
  if not found then
    return false;
  end if;
  if paused_handlers() && served then
    return false;
  end if;
  if (select sum(cardinality(v.entry_steps)) from unnest(slugs, versions) g(slug, version)
        join pipeline p on p.slug = g.slug
        join pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version)) > room then
    return false;
  end if;
  if exists (select from (select distinct slug, version from unnest(slugs, versions) u(slug, version)) g
               join pipeline p on p.slug = g.slug
               join pipeline_version v on v.slug = g.slug and v.version = coalesce(g.version, p.active_version)
               cross join unnest(v.entry_steps) e(id) join step_definition d on d.id = e.id
              where d.handler <> all (served)) then
    return false;
  end if;
  return not exists (
    select from unnest(served) h(id) join task t on t.handler = h.id
     where t.worker_id is null and t.priority <= coalesce((select max(p) from unnest(priorities) p), 5));
end $$;
comment on function millrace.may_hand_over(uuid, int, text[], int[], smallint[], int) is 'Whether starts may come back already leased to this worker.';
