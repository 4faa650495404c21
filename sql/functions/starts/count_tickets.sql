-- How many runs of a key are pending, counted anew: those that have begun or ended leave the count. Runs of the same batch are not there yet.
create or replace function millrace.count_tickets(state_id bigint, batch_ids uuid[]) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  counted int;
begin
  delete from start_ticket t
   where t.state_id = count_tickets.state_id and t.run_id <> all (batch_ids)
     and not exists (select from run r where r.id = t.run_id and r.state = 'pending');
  select count(*) into counted from start_ticket t where t.state_id = count_tickets.state_id;
  update start_state s set waiting = counted where s.id = count_tickets.state_id;
  return counted;
end $$;
comment on function millrace.count_tickets(bigint, uuid[]) is 'How many runs of a key are pending, counted anew.';
