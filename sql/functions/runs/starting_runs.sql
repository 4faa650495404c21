-- The rows of the runs that a batch begins of one version. It is part of the plan of the statement that writes them.
create or replace function millrace.starting_runs(
  started millrace.start_version, run_ids uuid[], slugs text[], versions int[], inputs jsonb[], priorities smallint[], tenants text[], all_headers jsonb[],
  available_ats timestamptz[], idempotency_keys text[], keep boolean[], parents millrace.run_parent[], via text, actor text, at timestamptz, leasing boolean)
returns table (id uuid, slug text, version int, tenant text, key text, state text, priority smallint, input jsonb, headers jsonb, idempotency_key text,
               started_via text, started_by text, created_at timestamptz, available_at timestamptz, started_at timestamptz,
               parent_run_id uuid, parent_step text, parent_item int, parent_call text, parent_place int, detached boolean)
language sql stable
as $$
  select g.id, started.slug, started.resolved, g.tenant,
         case when started.key_paths <> '[]' then millrace.run_key(started.slug, g.input, started.key_paths) end,
         case when leasing then 'running' else 'pending' end,
         coalesce(g.priority, 5::smallint), g.input, g.headers, g.idempotency_key,
         via, coalesce(left(g.headers ->> 'millrace-actor', 200) || ' via ' || session_user, actor), at, case when g.available_at > at then g.available_at end,
         case when leasing then at end,
         g.parent_run_id, g.parent_step, g.parent_item, g.parent_call, g.parent_place, g.detached
    from unnest(run_ids, slugs, versions, inputs, priorities, tenants, all_headers, available_ats, idempotency_keys, keep, parents)
         g(id, slug, version, input, priority, tenant, headers, available_at, idempotency_key, keep,
           parent_run_id, parent_step, parent_item, parent_call, parent_place, detached)
   where g.slug = started.slug and g.version is not distinct from started.version and g.keep is not false
$$;
comment on function millrace.starting_runs(millrace.start_version, uuid[], text[], int[], jsonb[], smallint[], text[], jsonb[], timestamptz[], text[], boolean[],
  millrace.run_parent[], text, text, timestamptz, boolean) is 'The rows of the runs that a batch begins of one version.';
