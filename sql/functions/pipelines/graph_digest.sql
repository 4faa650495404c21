-- What tells one version of a pipeline from another: equal for equal graphs, whatever the order in which their names were written.
create or replace function millrace.graph_digest(graph jsonb) returns text
language sql immutable parallel safe
as $$
  select encode(sha256(convert_to(graph::text, 'UTF8')), 'hex')
$$;
comment on function millrace.graph_digest(jsonb) is 'The sha256 of a graph.';
