-- Takes all of a tenant out of every table, a batch of its runs at a time: called again, with the erasure that it answered, until more is false. What
-- was counted stands in the erasure, with who began it, when and why. Dry, it only counts. A tenant with live runs is refused: cancel them first.
create or replace function millrace.erase_tenant(
  tenant text, dry_run boolean default false, erasure_id uuid default null, batch int default 500, reason text default null)
returns table (erasure uuid, counts jsonb, more boolean)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  n bigint;
  kept_table text;
  erased uuid[];
begin
  if erasure_id is null then
    select count(*) into n from run r where r.tenant = erase_tenant.tenant and r.finished_at is null;
    if n > 0 and not dry_run then
      raise exception 'Tenant ''%'' has % live runs, so nothing of it is erased.', erase_tenant.tenant, n
        using errcode = 'MR052', hint = 'Cancel them first, with: npx millrace run cancel ID';
    end if;
  end if;
  counts := '{}';
  if dry_run then
    select count(*) into n from run r where r.tenant = erase_tenant.tenant;
    counts := jsonb_build_object('run', n);
    foreach kept_table in array tables_of_runs() loop
      execute format('select count(*) from millrace.%I t where t.run_id in (select r.id from millrace.run r where r.tenant = $1)%s', kept_table,
                     case when kept_table = any (tables_of_tenants()) then ' or t.tenant = $1' else '' end) into n using erase_tenant.tenant;
      counts := add_counts(counts, jsonb_build_object(kept_table, n));
    end loop;
    foreach kept_table in array tables_of_tenants() loop
      continue when kept_table = any (tables_of_runs());
      execute format('select count(*) from millrace.%I t where t.tenant = $1', kept_table) into n using erase_tenant.tenant;
      counts := add_counts(counts, jsonb_build_object(kept_table, n));
    end loop;
    more := false;
    return next;
    return;
  end if;

  erased := array(select r.id from run r where r.tenant = erase_tenant.tenant limit greatest(1, least(batch, 10000)));
  if erased <> '{}' then
    counts := erase_runs(erased);
    more := true;
  else
    -- What is left has no run any more.
    more := false;
    foreach kept_table in array tables_of_tenants() loop
      execute format('delete from millrace.%I where ctid = any (array(select ctid from millrace.%1$I where tenant = $1 limit 10000))', kept_table)
        using erase_tenant.tenant;
      get diagnostics n = row_count;
      counts := add_counts(counts, jsonb_build_object(kept_table, n));
      more := more or n = 10000;
    end loop;
  end if;
  insert into erasure as e (id, erased_tenant, reason, counts, begun_at, begun_by, finished_at)
  values (coalesce(erasure_id, gen_random_uuid()), erase_tenant.tenant, erase_tenant.reason, erase_tenant.counts, at, actor(),
          case when not more then at end)
      on conflict (id) do update set counts = add_counts(e.counts, excluded.counts), finished_at = excluded.finished_at
  returning e.id, e.counts into erasure, counts;
  return next;
end $$;
comment on function millrace.erase_tenant(text, boolean, uuid, int, text) is 'Takes all of a tenant out of every table, a batch of its runs at a time.';
