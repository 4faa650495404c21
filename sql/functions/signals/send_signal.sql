-- Sends a signal to a run, or to whoever waits for its name: the oldest step that does, or all of them. Whoever waits for the first one ever
-- sent gets it too, and takes nothing away. Where nobody takes it, it is kept for the next that waits. The same idempotency key is the same signal.
create or replace function millrace.send_signal(
  name text, payload jsonb default null, run_id uuid default null, idempotency_key text default null, to_all boolean default false)
returns table (signal_id bigint, woke int, kept boolean)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  chosen bigint[];
  candidate bigint;
begin
  if (length(send_signal.name) between 1 and 200) is not true then
    perform refuse_argument('name', 'a text of 1 to 200 characters', quote_literal(left(send_signal.name, 200)));
  end if;
  if length(send_signal.idempotency_key) not between 1 and 500 then
    perform refuse_argument('idempotency_key', 'a text of 1 to 500 characters', 'one of ' || length(send_signal.idempotency_key));
  end if;
  -- Alone: no step that waits for it parks until this has committed.
  perform pg_advisory_xact_lock(77424, hashtext(coalesce(send_signal.run_id || ' ', '') || send_signal.name));
  woke := 0;
  if send_signal.idempotency_key is not null then
    select s.id, s.taken_at is null into signal_id, kept from signal s
     where s.name = send_signal.name and s.run_id is not distinct from send_signal.run_id and s.idempotency_key = send_signal.idempotency_key;
    if found then
      return next;
      return;
    end if;
  end if;
  if send_signal.run_id is not null then
    perform refuse_ended_run(send_signal.run_id);
  end if;
  insert into signal (run_id, name, payload, idempotency_key, sent_at, sent_by)
  values (send_signal.run_id, send_signal.name, send_signal.payload, send_signal.idempotency_key, at, actor())
  returning id into signal_id;

  select coalesce(array_agg(w.id), '{}') into chosen from find_signal_waits(send_signal.name, send_signal.run_id, send_signal.payload, 'first', null) w(id);
  if to_all then
    chosen := chosen || array(select w.id from find_signal_waits(send_signal.name, send_signal.run_id, send_signal.payload, 'next', null) w(id));
  end if;
  if chosen <> '{}' then
    chosen := lock_waits(chosen);
  end if;
  kept := not exists (select from wait w where w.id = any (chosen) and w.signal_take = 'next');
  while kept and not to_all loop
    -- The oldest first; one whose step ended, or that got another signal, while its task was locked is passed over.
    for candidate in
      select f.id from find_signal_waits(send_signal.name, send_signal.run_id, send_signal.payload, 'next', 10) f(id) order by f.id
    loop
      if lock_waits(array[candidate]) <> '{}' then
        chosen := chosen || candidate;
        kept := false;
        exit;
      end if;
    end loop;
    exit when not found;
  end loop;
  if not kept then
    update signal s set taken_at = at, taken_by_run = (select w.run_id from wait w where w.id = any (chosen) and w.signal_take = 'next' order by w.id limit 1)
     where s.id = send_signal.signal_id;
  end if;
  if chosen <> '{}' then
    woke := cardinality(chosen);
    perform deliver_signal(chosen, send_signal.signal_id, at);
  end if;
  return next;
end $$;
comment on function millrace.send_signal(text, jsonb, uuid, text, boolean) is 'Sends a signal to a run, or to whoever waits for its name.';
