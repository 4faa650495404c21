-- Refuses a graph that could not run, with a sentence that names the step: definitions are checked in the database too,
-- because not every one of them comes from the SDK.
create or replace function millrace.check_graph(slug text, graph jsonb) returns void
language plpgsql immutable
as $$
declare
  steps jsonb := graph -> 'steps';
  names text[];
  bad text;
begin
  if jsonb_typeof(steps) is distinct from 'array' or jsonb_array_length(steps) = 0 then
    raise exception 'The graph of pipeline ''%'' has no list of steps.', slug
      using errcode = 'MR001', hint = 'Give {"steps": [{"name": …}, …]} with at least one step.';
  end if;
  if jsonb_array_length(steps) > 500 then
    raise exception 'The graph of pipeline ''%'' has % steps; 500 are the most.', slug, jsonb_array_length(steps)
      using errcode = 'MR001', hint = 'Split it into several pipelines.';
  end if;
  select array_agg(s ->> 'name' order by n) into names from jsonb_array_elements(steps) with ordinality e(s, n);

  select coalesce(name, 'null') into bad from unnest(names) name where name is null or name !~ '^[a-z][a-z0-9-]{0,62}$' limit 1;
  if found then
    raise exception 'Step name ''%'' of pipeline ''%'' is not of the form [a-z][a-z0-9-]*.', bad, slug
      using errcode = 'MR001', hint = 'Use lower-case letters, digits and hyphens.';
  end if;
  select name into bad from unnest(names) name group by name having count(*) > 1 limit 1;
  if found then
    raise exception 'Pipeline ''%'' has two steps named ''%''.', slug, bad
      using errcode = 'MR001', hint = 'Give each step a name of its own.';
  end if;
  select s ->> 'name' into bad from jsonb_array_elements(steps) s
   where coalesce(s ->> 'kind', 'step') not in ('step', 'map', 'sleep', 'signal', 'approval', 'call', 'http', 'sql', 'undo', 'finally')
      or (coalesce(s ->> 'kind', 'step') = 'map') <> (s ? 'over')
      or jsonb_typeof(coalesce(s -> 'after', '[]')) <> 'array'
   limit 1;
  if found then
    raise exception 'Step ''%'' of pipeline ''%'' is neither a step nor a map over another.', bad, slug
      using errcode = 'MR001',
            hint = 'kind is "step", "map", "sleep", "signal", "approval", "call", "http" or "sql"; a map names the step whose list it goes over; after is a list.';
  end if;
  select s ->> 'name' into bad from jsonb_array_elements(steps) s
   where s ->> 'kind' = 'sql' and (coalesce(s ->> 'target', '') !~ '^[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}$' or s -> 'tx' is distinct from 'true')
   limit 1;
  if found then
    raise exception 'Step ''%'' of pipeline ''%'' names no function of the database, or is not marked tx.', bad, slug
      using errcode = 'MR001', hint = 'An sql step has a target, schema and function without quotes, and tx is true.';
  end if;
  select format('''%s'' of step ''%s''', need, s ->> 'name') into bad
    from jsonb_array_elements(steps) s,
         jsonb_array_elements_text(coalesce(s -> 'after', '[]') || case when s ? 'over' then jsonb_build_array(s -> 'over') else '[]' end) need
   where need is null or need <> all (names) or need = s ->> 'name' limit 1;
  if found then
    raise exception 'Pipeline ''%'' has no step % to come after.', slug, bad
      using errcode = 'MR001', hint = 'Name a step of the same pipeline.';
  end if;
  perform millrace.check_options(slug, steps);
  perform millrace.check_retries(slug, graph);
  perform millrace.check_outcomes(slug, steps);
  perform millrace.check_batches(slug, graph);
  perform millrace.check_endings(slug, steps);
  perform millrace.check_key(slug, coalesce(graph -> 'key', '[]'));
  perform millrace.check_encryption(slug, graph);
  perform millrace.check_objectives(slug, coalesce(graph -> 'objectives', '{}'));
end $$;
comment on function millrace.check_graph(text, jsonb) is 'Refuses a graph that could not run, naming the step.';
