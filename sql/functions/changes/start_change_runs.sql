-- Starts the runs of gathered changes, and deletes these: in one transaction, so that each change starts its run exactly once. One whose start is
-- refused stays, with the reason, and is tried again; one that a rule put into another run has gone with that. Answers how many runs began.
create or replace function millrace.start_change_runs(watched millrace.change_watch, gathered jsonb, at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  run_ids uuid[];
  inputs jsonb[];
  tenants text[];
  refused record;
  kept uuid[] := array[]::uuid[];
  reasons text[] := array[]::text[];
  told bigint[];
  folded uuid[] := array[]::uuid[];
  begun record;
  n int := 0;
begin
  select array_agg(g.run_id order by g.n), array_agg(change_input(watched, g.change) order by g.n), array_agg(g.tenant order by g.n)
    into run_ids, inputs, tenants
    from rows from (jsonb_to_recordset(gathered) as (run_id uuid, change jsonb, tenant text)) with ordinality g(run_id, change, tenant, n);
  for refused in
    select * from start_runs(run_ids, array_fill(watched.slug, array[cardinality(run_ids)]), array_fill(null::int, array[cardinality(run_ids)]), inputs,
      tenants => tenants, started_via => 'change', wake_always => false, given_ids => false)
  loop
    if refused.reason in ('coalesced', 'repeated') then
      folded := folded || refused.run_id;
    else
      kept := kept || refused.run_id;
      reasons := reasons || concat_ws(' ', refused.reason, refused.rule, refused.live_run_id);
    end if;
  end loop;
  if kept <> '{}' then
    update change c set held_until = start_change_runs.at + case g.reason when 'paused' then interval '5 s' else interval '1 s' end, held_reason = g.reason
      from (select unnest(g.ids) as id, k.reason
              from jsonb_to_recordset(gathered) g(run_id uuid, ids bigint[]) join unnest(kept, reasons) k(run_id, reason) on k.run_id = g.run_id) g
     where c.watch_id = watched.id and c.id = any (array[g.id]);
  end if;
  for begun in
    select g.* from jsonb_to_recordset(gathered) g(run_id uuid, ids bigint[], change jsonb, tenant text, place text, transaction text, origin uuid, depth int)
     where g.run_id <> all (kept) and g.run_id <> all (folded)
  loop
    if begun.place is not null then
      -- Those of its key that have ended hold up no later one, and are looked at no more.
      update change_run c set ordered_key = null
       where c.run_id = any (array(
         select o.run_id from change_run o
          where o.watch_id = watched.id and o.ordered_key = begun.place
            and not exists (select from run r where r.id = any (array[o.run_id]) and r.finished_at is null)
          order by o.run_id desc limit 100 for update of o skip locked));
    end if;
    insert into change_run (run_id, watch_id, tenant, key, depth, origin_run, ordered_key)
    values (begun.run_id, watched.id, begun.tenant, begun.change -> 'key', begun.depth, begun.origin, begun.place);
    perform write_event(begun.run_id, 'run.triggered', jsonb_build_object('by', 'change', 'watch', watched.name, 'operation', begun.change -> 'operation',
      'key', begun.change -> 'key', 'changes', begun.change -> 'changes', 'transaction', begun.transaction));
    n := n + 1;
  end loop;
  told := array(select unnest(g.ids) from jsonb_to_recordset(gathered) g(run_id uuid, ids bigint[]) where g.run_id <> all (kept));
  delete from change c where c.watch_id = watched.id and c.id = any (told);
  update change_watch w set runs_started = w.runs_started + n, changes_told = w.changes_told + cardinality(told) where w.id = watched.id;
  return n + cardinality(folded);
end $$;
comment on function millrace.start_change_runs(millrace.change_watch, jsonb, timestamptz) is 'Starts the runs of gathered changes, and deletes these.';
