-- A run and those that it called and waited for, and those that these called: what it did. Detached ones are runs of their own.
create or replace function millrace.runs_with_children(run_id uuid) returns uuid[]
language sql stable
as $$
  with recursive own as (
    select runs_with_children.run_id as id
    union
    select c.id from own o join millrace.run c on c.parent_run_id = o.id and not c.detached
  )
  select array_agg(id) from own
$$;
comment on function millrace.runs_with_children(uuid) is 'A run and those that it called and waited for.';
