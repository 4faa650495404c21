-- The runs that a run called: how many in which state, and the first 20 that did not complete, then the first that did.
create or replace function millrace.account_children(told_run uuid) returns jsonb
language sql stable
as $$
  with child as (
    select r.id, r.slug, r.state, r.parent_step, r.parent_item, r.parent_call, r.parent_place, r.detached
      from millrace.run r where r.parent_run_id = told_run
  ), kept as (
    select * from child order by state = 'completed', id limit 20
  )
  select jsonb_build_object(
           'total', (select count(*) from child),
           'states', (select coalesce(jsonb_object_agg(s.state, s.n), '{}') from (select state, count(*) as n from child group by state) s),
           'listed', (select coalesce(jsonb_agg(jsonb_build_object(
             'run', k.id, 'pipeline', k.slug, 'state', k.state, 'step', k.parent_step, 'item', nullif(k.parent_item, -1),
             'call', k.parent_call, 'place', k.parent_place, 'detached', k.detached) order by k.state = 'completed', k.id), '[]') from kept k))
$$;
comment on function millrace.account_children(uuid) is 'The runs that a run called, bounded.';
