-- Writes into the history of each run of some batches that its tasks were claimed with others: how many there were, which of them are its own,
-- and a few of the other runs, of the same tenant alone.
create or replace function millrace.tell_batches(worker_id uuid, definition millrace.step_definition, task_ids bigint[], batches int[]) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  with member as (
    select g.batch, g.place, t.run_id, t.item, t.attempt, r.tenant
      from unnest(task_ids, batches) with ordinality g(id, batch, place)
     cross join lateral (select c.run_id, c.item, c.attempt from millrace.task c where c.id = g.id and c.worker_id is not distinct from tell_batches.worker_id offset 0) t
      join millrace.run r on r.id = any (array[t.run_id])
  ), own as (
    select m.batch, m.run_id, m.tenant, count(*) as members, min(m.place) as place, min(m.attempt) as attempt,
           jsonb_agg(m.item order by m.item) filter (where m.item >= 0) as items, jsonb_agg(m.attempt order by m.item) filter (where m.item >= 0) as attempts
      from member m group by m.batch, m.run_id, m.tenant
  ), ranked as (
    select o.*, sum(o.members) over (partition by o.batch) as size, row_number() over (partition by o.batch, o.tenant order by o.place) as n from own o
  ), told as (
    -- Over all of them at once: a look for each at the others of its batch would cost their square.
    select r.*, array_remove(array_agg(r.run_id) filter (where r.n <= 6) over (
             partition by r.batch, r.tenant order by r.place rows between unbounded preceding and unbounded following), r.run_id) as others
      from ranked r
  )
  insert into millrace.event (run_id, at, actor, kind, step, attempt, detail)
  select t.run_id, millrace.now(), session_user, 'step.batched', definition.step, case when t.items is null then t.attempt end,
         jsonb_strip_nulls(jsonb_build_object('size', t.size, 'items', t.items, 'attempts', t.attempts,
                                              'with', case when t.others <> '{}' then to_jsonb(t.others[:5]) end))
    from told t order by t.batch, t.place;
end $$;
comment on function millrace.tell_batches(uuid, millrace.step_definition, bigint[], int[]) is 'Writes into the history of runs that their tasks were claimed with others.';
