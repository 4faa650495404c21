-- Of these handlers, those of which some step is under a rule, or tasks take turns as a rule once said. It reads with a snapshot of its own, taken once the lock on the table is
-- held: so a claim that waited for somebody who defines a rule sees that rule (see link_limits).
create or replace function millrace.limited_handlers(handlers int[]) returns int[]
language plpgsql
as $$
begin
  return array(select l.handler from millrace.limited_step l where l.handler = any (handlers)
                union select f.handler from millrace.turn_handler f where f.handler = any (handlers));
end $$;
comment on function millrace.limited_handlers(int[]) is 'Of these handlers, those of which some step is under a rule, or tasks take turns.';
