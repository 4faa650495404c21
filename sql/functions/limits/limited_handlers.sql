-- Of these handlers, those of which some step is under a rule. It reads with a snapshot of its own, taken once the lock on the table is
-- held: so a claim that waited for somebody who defines a rule sees that rule (see link_limits).
create or replace function millrace.limited_handlers(handlers int[]) returns int[]
language plpgsql
as $$
begin
  return array(select distinct l.handler from millrace.limited_step l where l.handler = any (handlers));
end $$;
comment on function millrace.limited_handlers(int[]) is 'Of these handlers, those of which some step is under a rule.';
