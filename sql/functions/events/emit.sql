-- Emits an event, in the caller's own transaction: once that has committed, each pipeline that subscribes to it gets a run; rolled back, nothing has
-- happened. Starts themselves are not made here, so that no key that somebody holds can block the emitter: a worker makes them right after the commit.
-- An event of a step names its run, and belongs to its tenant; in the transaction of a tx step that needs no telling. The same idempotency key is
-- the same event.
create or replace function millrace.emit(
  name text, payload jsonb default null, tenant text default null, idempotency_key text default null, run_id uuid default null, step text default null)
returns bigint
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  origin uuid := emit.run_id;
  origin_step text := emit.step;
  of_tenant text := emit.tenant;
  given text := current_setting('millrace.attempt', true);
  of_run text := current_setting('millrace.origin', true);
  new_id bigint;
begin
  if (length(emit.name) between 1 and 200) is not true then
    perform refuse_argument('name', 'a text of 1 to 200 characters', quote_literal(left(emit.name, 200)));
  end if;
  if length(emit.tenant) not between 1 and 200 then
    perform refuse_argument('tenant', 'a text of 1 to 200 characters', 'one of ' || length(emit.tenant));
  end if;
  if length(emit.idempotency_key) not between 1 and 500 then
    perform refuse_argument('idempotency_key', 'a text of 1 to 500 characters', 'one of ' || length(emit.idempotency_key));
  end if;
  -- As text: a value that comes out of a table may be compressed.
  if octet_length(emit.payload::text) > 1000000 then
    perform refuse_argument('payload', 'of at most 1,000,000 bytes', 'of ' || octet_length(emit.payload::text));
  end if;
  if origin is null and given ~ '^[0-9]{1,18}:[0-9]{1,9}:' then
    select t.run_id, d.step into origin, origin_step
      from task t join step_definition d on d.id = t.step_id where t.id = split_part(given, ':', 1)::bigint;
  end if;
  -- A deferred trigger comes when the step's task is done; that its transaction is of this run is still known.
  if origin is null and of_run ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    select r.id into origin from run r where r.id = of_run::uuid;
  end if;
  if origin is not null then
    select coalesce(of_tenant, r.tenant) into of_tenant from run r where r.id = origin;
    if not found then
      raise exception 'There is no run %.', origin using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
    end if;
  end if;
  insert into emitted_event (name, payload, tenant, idempotency_key, emitted_at, emitted_by, run_id, step, chain, due_at)
  values (emit.name, coalesce(emit.payload, 'null'), of_tenant, emit.idempotency_key, at, actor(), origin, case when origin is not null then origin_step end,
          case when origin is null then '{}' else event_chain(origin) end, at)
      on conflict (name, idempotency_key, tenant) where idempotency_key is not null do nothing
  returning id into new_id;
  if new_id is null then
    select e.id into new_id from emitted_event e
     where e.name = emit.name and e.idempotency_key = emit.idempotency_key and e.tenant is not distinct from of_tenant;
    return new_id;
  end if;
  -- Of the kind alone: who sleeps looks for it, everybody else with the next heartbeat.
  if exists (select from worker where sleeping) then
    perform pg_notify('millrace_wake', 'event');
  end if;
  return new_id;
end $$;
comment on function millrace.emit(text, jsonb, text, text, uuid, text) is 'Emits an event in the caller''s own transaction; answers its id.';
