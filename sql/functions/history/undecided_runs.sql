-- The runs between two ids that retention leaves alone: what is live, what nobody has decided on, and what is still to be told or looked for of an
-- end. Each has a row in a small table, by its id: the runs themselves are not read, for nothing names their state.
create or replace function millrace.undecided_runs(first_id uuid, next_id uuid) returns setof uuid
language sql stable
set enable_seqscan = off set enable_hashjoin = off set jit = off
as $$
  select t.run_id from millrace.task t where t.run_id >= first_id and t.run_id < next_id
  union select w.run_id from millrace.waiting_task w where w.run_id >= first_id and w.run_id < next_id
  union select j.run_id from millrace.join_state j where j.run_id >= first_id and j.run_id < next_id
  union select d.run_id from millrace.run_deadline d where d.run_id >= first_id and d.run_id < next_id
  union select k.run_id from millrace.live_key k where k.run_id >= first_id and k.run_id < next_id
  union select l.run_id from millrace.dead_letter l where l.run_id >= first_id and l.run_id < next_id
  union select c.run_id from millrace.callback_delivery c where c.due_at is not null and c.run_id >= first_id and c.run_id < next_id
  union select f.run_id from millrace.firing f where f.verify_at is not null and f.run_id >= first_id and f.run_id < next_id
$$;
comment on function millrace.undecided_runs(uuid, uuid) is 'The runs between two ids that retention leaves alone, whatever their age.';
