-- Ends waits with a signal, and writes into the history of their runs who sent it. Answers how many tasks woke up.
create or replace function millrace.deliver_signal(wait_ids bigint[], signal_id bigint, at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  sent signal;
begin
  select s.* into sent from signal s where s.id = deliver_signal.signal_id;
  insert into event (run_id, at, actor, kind, step, item, attempt, detail)
  select w.run_id, deliver_signal.at, sent.sent_by, 'signal.received', d.step, w.item, w.attempt,
         jsonb_build_object('name', sent.name, 'wait', w.name, 'sent_at', sent.sent_at, 'to', case when sent.run_id is null then 'name' else 'run' end)
    from wait w join step_definition d on d.id = w.step_id where w.id = any (wait_ids) order by w.id;
  return cardinality(resolve_waits(wait_ids,
    array_fill(jsonb_build_object('name', sent.name, 'payload', sent.payload, 'sentAt', to_char(sent.sent_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
               array[cardinality(wait_ids)]), null, at));
end $$;
comment on function millrace.deliver_signal(bigint[], bigint, timestamptz) is 'Ends waits with a signal.';
