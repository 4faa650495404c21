-- Of the handlers that a worker serves, those whose pipeline is not paused: what may be handed over to it.
create or replace function millrace.open_handlers(served int[]) returns int[]
language plpgsql stable
as $$
declare
  paused int[] := millrace.paused_handlers();
begin
  if paused = '{}' then
    return served;
  end if;
  return array(select h.id from unnest(served) h(id) where h.id <> all (paused));
end $$;
comment on function millrace.open_handlers(int[]) is 'The served handlers whose pipeline is not paused.';
