-- Of these handlers, those whose pipeline is not paused.
create or replace function millrace.unpaused_handlers(handlers int[]) returns int[]
language plpgsql stable
as $$
declare
  paused int[] := millrace.paused_handlers();
begin
  if paused = '{}' then
    return handlers;
  end if;
  return array(select h.id from unnest(handlers) h(id) where h.id <> all (paused));
end $$;
comment on function millrace.unpaused_handlers(int[]) is 'Of these handlers, those whose pipeline is not paused.';
