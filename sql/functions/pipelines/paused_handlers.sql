-- The handlers of paused pipelines: what claims and hand-overs leave alone.
create or replace function millrace.paused_handlers() returns int[]
language plpgsql stable
as $$
begin
  return array(select h.id from millrace.pipeline p join millrace.handler h on h.slug = p.slug where p.paused_at is not null);
end $$;
comment on function millrace.paused_handlers() is 'The handlers of paused pipelines.';
