-- What is ready of a step whose tasks are claimed in batches, gathered as it would be claimed now: by key, in the order of claims, each batch
-- with the time at which it waits for no others. Of a step with a key so much is looked at that many keys are seen at once, and no more.
create or replace function millrace.find_batches(definition millrace.step_definition, most int)
returns table (task_ids bigint[], is_full boolean, key text, due_at timestamptz)
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  look int := least(10000 / definition.batch_size, most) * definition.batch_size;
begin
  if definition.batch_key is not null then
    look := 10000;
  end if;
  return query
    with ready as materialized (
      select t.id, t.run_id, t.item_value, t.ready_at, row_number() over (order by t.priority, t.id) as place
        from (select c.id, c.run_id, c.item_value, c.ready_at, c.priority from millrace.task c
               where c.handler = definition.handler and (c.priority, c.id) > (0::smallint, 0::bigint) and c.worker_id is null and c.turn_key is null
               order by c.priority, c.id limit look) t
    ), keyed as (
      select r.id, r.ready_at, r.place,
             case when definition.batch_key is null then '' else millrace.composed_key(definition.batch_key, u.input, r.item_value, u.tenant) end as key
        from ready r
        left join millrace.run u on u.id = case when definition.batch_key is not null then r.run_id end
    ), gathered as (
      select k.*, (row_number() over (partition by k.key order by k.place) - 1) / definition.batch_size as n from keyed k
    )
    select array_agg(g.id order by g.place), count(*) = definition.batch_size, g.key,
           min(g.ready_at) + make_interval(secs => definition.batch_ms / 1000.0)
      from gathered g group by g.key, g.n order by min(g.place);
end $$;
comment on function millrace.find_batches(millrace.step_definition, int) is 'What is ready of a step whose tasks are claimed in batches, gathered as it would be claimed now.';
