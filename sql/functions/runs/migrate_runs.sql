-- Moves live runs of a pipeline from one version to another, the oldest first, and answers for each that it looked at: moved, or why not. A
-- run moves where every step that is final or open stands in the other version alike: of the same kind, after the same steps. A step that
-- runs keeps its run where it is; ask again when it has ended. to_version null is the active one.
--
-- matching: only runs whose input contains it. after: only ids beyond it, to go on where the last call ended. With dry, nothing is moved.
create or replace function millrace.migrate_runs(
  slug text, from_version int, to_version int default null, matching jsonb default null, run_ids uuid[] default null, tenant text default null,
  most int default 100, after uuid default null, dry boolean default false)
returns table (run_id uuid, moved boolean, reason text)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  target int := coalesce(migrate_runs.to_version, (select p.active_version from pipeline p where p.slug = migrate_runs.slug));
  missing int;
  found_runs uuid[];
begin
  select v into missing from unnest(array[from_version, target]) v
   where not exists (select from pipeline_version known where known.slug = migrate_runs.slug and known.version = v) limit 1;
  if found then
    raise exception 'There is no version % of a pipeline ''%''.', coalesce(missing::text, 'null'), migrate_runs.slug
      using errcode = 'MR002', hint = 'List the versions with: npx millrace pipeline show NAME';
  end if;
  if from_version = target then
    perform refuse_argument('to_version', 'another version than from_version', target::text);
  end if;
  if (select count(distinct v.is_encrypted) > 1 from pipeline_version v where v.slug = migrate_runs.slug and v.version in (from_version, target)) then
    raise exception 'Of versions % and % of pipeline ''%'' only one is encrypted: a run can''t go from one to the other.', from_version, target, migrate_runs.slug
      using errcode = 'MR050', hint = 'Let these runs end with the version that they have.';
  end if;
  if (most between 1 and 1000) is not true then
    perform refuse_argument('most', 'from 1 to 1,000', most::text);
  end if;

  found_runs := array(
    select r.id
      from (select t.run_id from task t join handler h on h.id = t.handler where h.slug = migrate_runs.slug and h.version = from_version
            union
            select w.run_id from waiting_task w join handler h on h.id = w.handler where h.slug = migrate_runs.slug and h.version = from_version) live
      join run r on r.id = live.run_id
     where r.finished_at is null and r.version = from_version and (after is null or r.id > after)
       and (migrate_runs.run_ids is null or r.id = any (migrate_runs.run_ids))
       and (matching is null or clear_input(r.input) @> matching) and (migrate_runs.tenant is null or r.tenant = migrate_runs.tenant)
     order by r.id limit most);
  if not dry then
    perform lock_run_tasks(found_runs);
    perform from unnest(find_heads(found_runs)) g(id) cross join lateral (select from limit_state s where s.id = g.id for update) s;
    perform 1 from join_state j where j.run_id = any (found_runs) order by j.run_id, j.step_id for update;
    -- Who ended, or was moved, while the locks were waited for is left out.
    found_runs := array(select r.id from (select id, finished_at, version from run where id = any (found_runs) order by id for update) r
                         where r.finished_at is null and r.version = from_version order by r.id);
  end if;
  for run_id, reason in
    select g.id, f.fault from unnest(found_runs) with ordinality g(id, n)
      left join find_move_faults(found_runs, migrate_runs.slug, from_version, target) f on f.run_id = g.id order by g.n
  loop
    moved := reason is null;
    if moved and not dry then
      perform move_run(run_id, from_version, target, at);
      perform write_audit('run.migrated', 'run', run_id::text, '{}', jsonb_build_object('version', from_version), jsonb_build_object('version', target));
    end if;
    return next;
  end loop;
  perform wake_workers(false);
end $$;
comment on function millrace.migrate_runs(text, int, int, jsonb, uuid[], text, int, uuid, boolean)
  is 'Moves live runs to another version where all that they have reached stands alike; answers for each.';
