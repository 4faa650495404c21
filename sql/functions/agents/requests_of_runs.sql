-- The requests of agents about these runs: those that were to change one, and those of which one came, which its answer names. What they asked for
-- holds what that run was given. There are few of them, for people are to read each.
create or replace function millrace.requests_of_runs(run_ids uuid[]) returns setof uuid
language sql stable
as $$
  select r.id from millrace.agent_request r where r.run_id = any (run_ids)
  union
  select r.id from millrace.agent_request r
   where r.answer is not null
     and exists (select from jsonb_path_query(r.answer, '$.**.run.id') named(id) where named.id #>> '{}' = any (run_ids::text[]))
$$;
comment on function millrace.requests_of_runs(uuid[]) is 'The requests of agents about these runs, and those of which one of them came.';
