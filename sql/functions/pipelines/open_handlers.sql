-- Of the handlers that a worker serves, those whose pipeline is not paused and that no rule limits: what may be handed over to it. What is
-- limited is judged by a claim. It is volatile so that it reads what is committed once it holds the lock (see limited_handlers).
create or replace function millrace.open_handlers(served int[]) returns int[]
language plpgsql
as $$
declare
  closed int[] := millrace.paused_handlers() || millrace.limited_handlers(served);
begin
  if closed = '{}' then
    return served;
  end if;
  return array(select h.id from unnest(served) h(id) where h.id <> all (closed));
end $$;
comment on function millrace.open_handlers(int[]) is 'The served handlers whose pipeline is not paused and that no rule limits.';
