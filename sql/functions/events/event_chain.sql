-- The subscriptions by which a run came about, the first one first: its own, that of the run that emitted the event that started it, and so on; through
-- runs that called it, and those of which it was made.
create or replace function millrace.event_chain(run_id uuid) returns bigint[]
language plpgsql stable
as $$
#variable_conflict use_column
declare
  at_run uuid := event_chain.run_id;
  found_start record;
begin
  for level in 1 .. 64 loop
    select e.chain || s.subscription_id as chain into found_start
      from millrace.event_start s join millrace.emitted_event e on e.id = s.event_id where s.run_id = at_run;
    if found then
      return found_start.chain;
    end if;
    at_run := coalesce((select r.parent_run_id from millrace.run r where r.id = at_run), (select l.of_run from millrace.run_lineage l where l.run_id = at_run));
    exit when at_run is null;
  end loop;
  return array[]::bigint[];
end $$;
comment on function millrace.event_chain(uuid) is 'The subscriptions by which a run came about, the first one first.';
